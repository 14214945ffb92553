"""JSON read to the letter: every key of every object as it stands, so that a key that is there twice is seen.

The gate's compiled reader keeps the last of two equal keys and says nothing; JSON itself says nowhere which of them counts.
`is_plain` tells by length and count that an item needs no second look, which is true of nearly all; `check_exact` is that look.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from assay.app.gate.border import Envelope
from assay.contracts.errors import Quarantine
from assay.contracts.json_schema import place
from assay.contracts.reasons import Reason
from assay.contracts.texts import control_in

_ENCODER: Final = msgspec.json.Encoder()
#: 0xC2 leads the bytes of U+0080 to U+00BF
_BACKSLASH, _DEL, _LEAD_OF_C1 = 0x5C, 0x7F, 0xC2
#: what an escape of a control character begins with
_ESCAPED: Final = ("b", "f", "n", "r", "t", "u000", "u001", "u007", "u008", "u009")

Path = tuple[str | int, ...]


class _Object(list[tuple[str, Any]]):
    """The members of a JSON object in their order, equal keys beside each other."""


def is_plain(raw: bytes, envelope: Envelope, payload: bytes) -> bool:
    """Whether an item says each key once and holds no control character. False asks for `check_exact`; it is no fault.

    `envelope` is what the compiled reader made of `raw`, `payload` its typed payload written again. What was kept, written again, is at
    most as long as what came, and has a colon for each of its keys and each colon of a text. A dropped member made the item longer, by a
    colon and more: equal lengths, or equal counts where there are blanks, say that nothing was dropped.
    """
    if _BACKSLASH in raw or _DEL in raw or _LEAD_OF_C1 in raw:  # an escape can hide a character or a colon
        return False
    written, given = _ENCODER.encode(envelope), bytes(envelope.payload)
    if len(raw) == len(written) and len(given) == len(payload):
        return True
    return raw.count(b":") == written.count(b":") and given.count(b":") == payload.count(b":")


def check_exact(raw: bytes, otherwise: Reason) -> None:
    """Refuse the first fault of JSON text, objects before what they hold.

    Raises Quarantine(KEY_DUPLICATE | CONTROL_CHARACTER) with its place, and Quarantine(otherwise) for what is no JSON text.
    """
    try:
        text = raw.decode()
        if _reads_once(text) and not _may_hold_control(text):
            return
        read = json.loads(text, object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=str)
        refusal = next(_faults(read, ()), None)
    except (ValueError, RecursionError) as error:
        raise Quarantine(otherwise, f"this is no JSON text: {error}", where="$", remedy="Send UTF-8 text of plain depth.") from None
    if refusal is not None:
        raise refusal


class _Twice(Exception):
    """A key is there twice, somewhere."""


def _reads_once(text: str) -> bool:
    try:
        json.loads(text, object_pairs_hook=_once, parse_int=str, parse_float=str, parse_constant=str)
    except _Twice:
        return False
    return True


def _once(members: list[tuple[str, Any]]) -> None:
    if len(dict(members)) != len(members):
        raise _Twice


def _may_hold_control(text: str) -> bool:
    """Whether a look at each text is worth it: an escape may be of a control character, or one stands there as it is."""
    escapes = text.split("\\")[1:]
    if any(escape.startswith(_ESCAPED) for escape in escapes):
        return True
    return (not text.isascii() or "\x7f" in text) and control_in(text) is not None


def _faults(value: Any, path: Path) -> Iterator[Quarantine]:
    if isinstance(value, str):
        yield from _controls(value, path, "the text")
    elif isinstance(value, _Object):
        yield from _repeated(value, path)
        for key, child in value:
            yield from _controls(key, (*path, key), "the name")
            yield from _faults(child, (*path, key))
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from _faults(child, (*path, number))


def _repeated(members: _Object, path: Path) -> Iterator[Quarantine]:
    seen: set[str] = set()
    for key, _ in members:
        if key in seen:
            what = f"the key {key!r} is there more than once, and JSON does not say which one counts"
            yield Quarantine(Reason.KEY_DUPLICATE, what, where=place((*path, key)), remedy="Send each key of an object once.")
        seen.add(key)


def _controls(text: str, path: Path, what: str) -> Iterator[Quarantine]:
    found = control_in(text)
    if found is not None:
        remedy = "Send the text without it: no id, name or attribute holds control characters."
        yield Quarantine(Reason.CONTROL_CHARACTER, f"{what} holds the control character {found}", where=place(path), remedy=remedy)
