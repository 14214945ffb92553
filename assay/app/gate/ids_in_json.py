"""Ids of entities in the bytes of an item: found where they stand, and replaced there. Everything else keeps its bytes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from assay.app.gate.border import UNREADABLE
from assay.app.gate.exact import check_exact
from assay.app.vault.key import Subject
from assay.contracts.errors import Quarantine
from assay.contracts.limits import ID_CHARS_MAX
from assay.contracts.reasons import Reason
from assay.contracts.texts import control_in

#: where an envelope, and a payment in the short form, have their entities
IN_ENVELOPE: Final = ("payload", "entities")
IN_SHORT: Final = ("entities",)

Members: TypeAlias = dict[str, Raw]


class _Payload(msgspec.Struct):
    payload: Raw | UnsetType = UNSET


class _Entities(msgspec.Struct):
    entities: Raw | UnsetType = UNSET


_PAYLOAD, _ENTITIES = msgspec.json.Decoder(_Payload), msgspec.json.Decoder(_Entities)
#: key → what reads its value
_STEPS: Final[dict[str, Callable[[bytes], Raw | UnsetType]]] = {
    "payload": lambda raw: _PAYLOAD.decode(raw).payload,
    "entities": lambda raw: _ENTITIES.decode(raw).entities,
}
_MEMBERS: Final = msgspec.json.Decoder(Members)
_ENCODER: Final = msgspec.json.Encoder()
_BACKSLASH: Final = 0x5C
_HIDDEN: Final = "*"
#: no JSON text holds this byte
_HERE: Final = b"\0"


class Opened(NamedTuple):
    """An item cut open at the object of its entities: the bytes before it and behind it, and its members.

    `ids` are those of declared entities, `faults` what the gate refuses in place of one, hidden.
    Without any of them all bytes are `before`.
    """

    before: bytes
    behind: bytes
    members: Members
    ids: dict[str, str]
    faults: dict[str, Any]


def opened(raw: bytes, way: tuple[str, ...], declared: Collection[str]) -> Opened | None:
    """None where the ids cannot be told: no JSON, no object on the way, an entity twice.

    A key that is there twice outside of the entities stays there, and the gate refuses the item.
    """
    try:
        held = _object_at(raw, way)
        members = {} if held is None else _MEMBERS.decode(held)
    except UNREADABLE:
        return None
    values = {name: _value(members[name]) for name in declared if name in members}
    if held is None or not values:
        return Opened(raw, b"", {}, {}, {}) if held is None or _each_once(held, members) else None
    around = _around(raw, way, held)
    if around is None or not _each_once(held, members):
        return None
    ids = {name: value for name, value in values.items() if is_id(value)}
    return Opened(*around, members, ids, {name: hidden(value) for name, value in values.items() if name not in ids})


def subjects_in(item: Opened) -> Iterable[Subject]:
    """The ids of the entities that are declared. An id that the gate refuses is none."""
    return item.ids.items()


def replaced(item: Opened, tokens: Mapping[Subject, str]) -> bytes:
    """The item with the tokens of its ids. An id that the gate refuses is hidden, and refused for the same fault."""
    if not item.members:
        return item.before
    told = {name: tokens[name, known] for name, known in item.ids.items()}
    return item.before + _ENCODER.encode({**item.members, **told, **item.faults}) + item.behind


def is_id(value: object) -> bool:
    """Whether a value is an id that the gate takes."""
    return isinstance(value, str) and 0 < len(value) <= ID_CHARS_MAX and value == value.strip() and control_in(value) is None


def hidden(value: object) -> Any:
    """A value with the same fault that tells nothing more: blanks and control characters of a text stay, and its length."""
    if isinstance(value, str):
        return "".join(one if one.isspace() or control_in(one) is not None else _HIDDEN for one in value)
    if isinstance(value, bool) or value is None:
        return value
    return 0 if isinstance(value, int | float) else type(value)()


def _object_at(raw: bytes, way: tuple[str, ...]) -> bytes | None:
    """The bytes at the end of the way, None where a key on it is not there. Of two equal keys the last one is followed."""
    held: bytes = raw
    for name in way:
        found = _STEPS[name](held)
        if found is UNSET:
            return None
        held = bytes(found)
    return held


def _value(raw: Raw) -> Any:
    """The value of bytes of JSON. A number that nothing can hold is one all the same."""
    try:
        return msgspec.json.decode(raw)
    except UNREADABLE:
        return 0


def _around(raw: bytes, way: tuple[str, ...], held: bytes) -> tuple[bytes, bytes] | None:
    """The bytes before and behind the object. Where the same bytes stand elsewhere, too, the item is written again, each key once."""
    before, _, behind = raw.partition(held)
    if held not in behind:
        return before, behind
    try:
        check_exact(raw, Reason.ENVELOPE_INVALID)
    except Quarantine:
        return None
    begin, _, end = _with_gap(raw, way).partition(_HERE)
    return begin, end


def _with_gap(raw: bytes, way: tuple[str, ...]) -> bytes:
    if not way:
        return _HERE
    members = _MEMBERS.decode(raw)
    return _ENCODER.encode({**members, way[0]: Raw(_with_gap(bytes(members[way[0]]), way[1:]))})


def _each_once(held: bytes, members: Members) -> bool:
    """A key that is there twice was dropped: what is left has fewer bytes, or fewer colons where blanks make the object longer."""
    if _BACKSLASH not in held:
        written = _ENCODER.encode(members)
        if len(written) == len(held) or written.count(b":") == held.count(b":"):
            return True
    try:
        check_exact(held, Reason.ENVELOPE_INVALID)
    except Quarantine:
        return False
    return True
