"""Formats of strptime whose numbers stand without a separator: each has to have all its digits, for `130` is 01:30 or 13:00."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, NamedTuple

_WRITTEN_OUT: Final = {
    "%T": "%H:%M:%S", "%X": "%H:%M:%S", "%R": "%H:%M", "%F": "%Y-%m-%d", "%D": "%m/%d/%y", "%x": "%m/%d/%y", "%r": "%I:%M:%S %p",
    "%v": "%e-%b-%Y", "%c": "%a %b %e %H:%M:%S %Y", "%n": "\n", "%t": "\t",
}  # fmt: skip
#: letter of a directive → its digits
_DIGITS: Final = {**dict.fromkeys("YG", 4), "j": 3, **dict.fromkeys("ygCmdeHkIlMSUWV", 2), **dict.fromkeys("uwq", 1)}
_PART: Final = re.compile(r"%[-_0]?(?P<letter>[A-Za-z])|%(?P<fraction>[369])f|%[.:#0-9]*[A-Za-z%+]|\s+|.", re.DOTALL)


class _Part(NamedTuple):
    """A directive, blanks, or another character; `digits` is 0 for what is no number."""

    text: str
    digits: int

    def pattern(self, *, whole: bool, begins: bool) -> str:
        """What the part looks like: a number with all its digits where `whole`, behind blanks where it `begins` a run of numbers."""
        if self.digits and self.text.startswith("%"):
            return (r"\s*" if begins else "") + (f"[0-9]{{{self.digits}}}" if whole else "[+-]?[0-9]+")
        return ".*?" if self.text.startswith("%") else re.escape(self.text)


def digits_pattern(form: str) -> str | None:
    """What a value looks like, so that each of its numbers ends in one place only; None where separators of the format tell that."""
    written_out = re.sub("%.", lambda found: _WRITTEN_OUT.get(found[0], found[0]), form)
    parts = [_part(found) for found in _PART.finditer(written_out)]
    joints = {place for place, (one, other) in enumerate(pairwise(parts)) if one.digits and other.digits}
    blanks = {place + 1 for place, (one, _, other) in enumerate(zip(parts, parts[1:], parts[2:], strict=False))
              if parts[place + 1].text.isspace() and one.digits and other.digits}  # fmt: skip
    if not joints and not blanks:
        return None
    crowded = joints | {place + 1 for place in joints}
    separated = full = ""
    for place, part in enumerate(parts):
        begins = place - 1 not in joints
        separated += _blank(needed=place in blanks) if part.text.isspace() else part.pattern(whole=place in crowded, begins=begins)
        full += _blank(needed=False) if part.text.isspace() else part.pattern(whole=True, begins=begins)
    return rf"^\s*(?:{separated}|{full})\s*$"


def _part(found: re.Match[str]) -> _Part:
    text = found[0]
    return _Part(text, int(found["fraction"] or 0) or _DIGITS.get(found["letter"] or "", 0) or int(text.isdecimal()))


def _blank(*, needed: bool) -> str:
    """strptime takes no blank at all for one."""
    return r"\s+" if needed else r"\s*"
