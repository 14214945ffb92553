"""Payment card numbers in texts: found by network, length and check digit, and masked. Nobody should send them in clear.

Prefixes and lengths are those that the networks publish for their issuer identification numbers (ISO/IEC 7812); the check digit is that of
Luhn (ISO/IEC 7812-1, annex B).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

#: digits of the shortest and the longest card number
_SHORTEST, _LONGEST = 12, 19
_SHOWN_FIRST, _SHOWN_LAST = 6, 4
#: digits of the longest group on a card: 4-4-4-4, 4-6-5 and 4-6-4 are printed
_PRINTED_GROUP: Final = 6


class Network(NamedTuple):
    """Numbers of a network: the first digits, from and to, both with as many digits, and the lengths that they have."""

    name: str
    first: str
    last: str
    lengths: frozenset[int]


def _lengths(first: int, last: int) -> frozenset[int]:
    return frozenset(range(first, last + 1))


NETWORKS: Final = (
    Network("Visa", "4", "4", frozenset({13, 16, 19})),
    Network("Mastercard", "51", "55", frozenset({16})),
    Network("Mastercard", "2221", "2720", frozenset({16})),
    Network("Amex", "34", "34", frozenset({15})),
    Network("Amex", "37", "37", frozenset({15})),
    Network("Discover", "6011", "6011", _lengths(16, 19)),
    Network("Discover", "644", "649", _lengths(16, 19)),
    Network("Discover", "65", "65", _lengths(16, 19)),
    Network("JCB", "3528", "3589", _lengths(16, 19)),
    Network("Diners", "300", "305", _lengths(14, 19)),
    Network("Diners", "3095", "3095", _lengths(14, 19)),
    Network("Diners", "36", "36", _lengths(14, 19)),
    Network("Diners", "38", "39", _lengths(14, 19)),
    Network("UnionPay", "62", "62", _lengths(16, 19)),
    Network("UnionPay", "81", "81", _lengths(16, 19)),
    *(Network("Maestro", p, p, _lengths(12, 19)) for p in ("5018", "5020", "5038", "5893", "6304", "6759", "6761", "6762", "6763")),
)
#: first digit → the networks whose numbers may have it
_BY_FIRST: Final = {str(digit): [one for one in NETWORKS if one.first[0] <= str(digit) <= one.last[0]] for digit in range(10)}
#: digit, blank or hyphen → 0, any other byte → x
_FORM: Final = bytes(ord("0") if chr(byte) in "0123456789 -" else ord("x") for byte in range(256))
_BACKSLASH: Final = 0x5C
_ENOUGH: Final = b"0" * _SHORTEST
#: an escape of JSON for a digit, a blank or a hyphen
_ESCAPED: Final = re.compile(r"\\u00(3[0-9]|20|2[dD])")
_RUN: Final = re.compile(r"[0-9]+(?:[ -][0-9]+)*")
_GROUP: Final = re.compile(r"[0-9]+")
#: digests and UUIDs are no numbers that anybody gave out, whatever digits they hold
_NAMES: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?![0-9A-Za-z])"
)
#: more than a name has, and the characters around it
_NAME_CHARS: Final = 128
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def may_hold_card(raw: bytes) -> bool:
    """The first look: whether bytes of JSON hold a card number wherever it stands, or an escape that may hide a part of one."""
    return has_card(raw.decode("latin-1")) or (_BACKSLASH in raw and b"\\u00" in raw)


def has_card(text: str) -> bool:
    """Whether a text holds a card number, also with blanks or hyphens between its groups."""
    return next(_cards(text), None) is not None


def masked(text: str) -> str:
    """The text with the first six and the last four digits of each card number; the others are `*`."""
    for start, end in reversed(list(_cards(text))):
        text = text[:start] + _mask(text[start:end]) + text[end:]
    return text


def masked_json(raw: bytes) -> bytes:
    """Bytes of JSON, whole or not, with the same. Escapes that hide a number are written out."""
    if not may_hold_card(raw):
        return raw
    text = raw.decode("latin-1")  # a character for each byte
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return masked(plain if has_card(plain) else text).encode("latin-1")


def is_card(digits: str) -> bool:
    """Whether digits are a card number: prefix and length of a network, and a valid check digit."""
    near = _BY_FIRST.get(digits[:1], ())
    return any(len(digits) in one.lengths and one.first <= digits[: len(one.first)] <= one.last for one in near) and luhn(digits) == 0


def luhn(digits: str) -> int:
    """The sum of Luhn modulo 10; 0 is valid."""
    return sum(int(one) if at % 2 == 0 else _DOUBLED[int(one)] for at, one in enumerate(reversed(digits))) % 10


def _cards(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each card number: whole groups of digits, one after the other.

    Most texts have no place with so many digits, and nothing of them is looked at but their bytes.
    """
    form = text.encode("latin-1", "replace").translate(_FORM)  # a byte for each character
    end, size = 0, len(form)
    while (at := form.find(_ENOUGH, end)) >= 0:
        end = form.find(b"x", at)
        end = size if end < 0 else end
        for run in _RUN.finditer(text, form.rfind(b"x", 0, at) + 1, end):
            if run.end() - run.start() >= _SHORTEST:
                yield from _cards_in(text, [group.span() for group in _GROUP.finditer(text, *run.span())])


def _cards_in(text: str, groups: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(groups):
        size = _card_from(text, groups, at)
        begin, end = groups[at][0], groups[at + size - 1][1]
        if size and not _in_name(text, begin, end) and not _glued(text, groups[at : at + size]):
            yield begin, end
        at += max(size, 1)


def _in_name(text: str, begin: int, end: int) -> bool:
    """Whether a part of it belongs to a digest or a UUID."""
    names = _NAMES.finditer(text, max(0, begin - _NAME_CHARS), end + _NAME_CHARS)
    return any(name.start() < end and begin < name.end() for name in names)


def _glued(text: str, groups: list[tuple[int, int]]) -> bool:
    """Whether several groups touch a letter and are longer than a card has them: the end of an id and a number behind it."""
    touches = text[groups[0][0] - 1 : groups[0][0]].isalpha() or text[groups[-1][1] : groups[-1][1] + 1].isalpha()
    return touches and len(groups) > 1 and max(end - start for start, end in groups) > _PRINTED_GROUP


def _card_from(text: str, groups: list[tuple[int, int]], at: int) -> int:
    """How many groups from this one on make a card number; 0 for none. The digits behind a decimal point are none."""
    begin = groups[at][0]
    if text[begin - 1 : begin] == "." and text[max(0, begin - 2) : begin - 1].isdigit():
        return 0
    digits = ""
    for count, (start, end) in enumerate(groups[at:], start=1):
        digits += text[start:end]
        if len(digits) > _LONGEST:
            return 0
        if len(digits) >= _SHORTEST and is_card(digits):
            return count
    return 0


def _mask(card: str) -> str:
    places = [at for at, one in enumerate(card) if one.isdigit()]
    hidden = set(places[_SHOWN_FIRST:-_SHOWN_LAST])
    return "".join("*" if at in hidden else one for at, one in enumerate(card))
