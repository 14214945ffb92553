"""JSON read to the letter: every key of every object as it stands, so that a key that is there twice is seen.

The gate's compiled reader keeps the last of two equal keys and says nothing; JSON itself says nowhere which of them counts.
`is_plain` tells by counting that an item needs no second look, which is true of nearly all; `check_exact` is that look.
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

Path = tuple[str | int, ...]


class _Object(list[tuple[str, Any]]):
    """The members of a JSON object in their order, equal keys beside each other."""


def is_plain(raw: bytes, envelope: Envelope, payload: bytes) -> bool:
    """Whether an item says each key once and holds no control character. False asks for `check_exact`; it is no fault.

    `envelope` is what the compiled reader made of `raw`, `payload` its typed payload written again, with no key around it. What was kept,
    written again, has a colon for each key and each colon of a text. A member that was dropped had one more: equal counts say that
    nothing was dropped.
    """
    # an escape can hide a character or a colon, DEL is a control character, and 0xC2 leads the bytes of U+0080 to U+00BF
    if b"\\" in raw or b"\x7f" in raw or b"\xc2" in raw:
        return False
    return raw.count(b":") == _ENCODER.encode(envelope).count(b":") and bytes(envelope.payload).count(b":") == payload.count(b":")


def check_exact(raw: bytes, otherwise: Reason) -> None:
    """Refuse the first fault of JSON text, objects before what they hold.

    Raises Quarantine(KEY_DUPLICATE | CONTROL_CHARACTER) with its place, and Quarantine(otherwise) for what is no JSON text.
    """
    try:
        read = json.loads(raw.decode(), object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=str)
        refusal = next(_faults(read, ()), None)
    except (ValueError, RecursionError) as error:
        raise Quarantine(otherwise, f"this is no JSON text: {error}", where="$", remedy="Send UTF-8 text of plain depth.") from None
    if refusal is not None:
        raise refusal


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
