"""Text that is safe to print: characters that nobody sees, and that could move a cursor or turn a line, are written out."""

from __future__ import annotations

import re
from typing import Final

#: C0 without tab and line feed, DEL, C1, line and paragraph separator, marks that turn the direction of text, halves of surrogates
_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSEEN_OR_BREAK: Final = re.compile(f"{_UNSEEN.pattern}|[\t\n]")


def visible(text: str) -> str:
    r"""Text with each unseen character as `\u001b`, which JSON reads back as the same character. Lines and tabs stay."""
    return _UNSEEN.sub(_written, text)


def one_line(text: str) -> str:
    """The same for a value within a line, which must not begin another one."""
    return _UNSEEN_OR_BREAK.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
