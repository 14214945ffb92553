"""The gate's refusal of card numbers in clear, and what is kept and told of a refused item that holds one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

import msgspec
from msgspec import UNSET

from assay.app.gate.border import Envelope, Payload
from assay.app.gate.card_numbers import has_card
from assay.contracts.errors import Quarantine
from assay.contracts.json_schema import place
from assay.contracts.reasons import Reason

_FREE: Final = ("event_id", "producer", "trace_id", "span_id", "parent_event_id")
#: entities of a generated bank: their ids are integers that the data engine counted or hashed
ENGINE_ENTITIES: Final = frozenset({"account", "counterparty", "device", "flow", "instrument", "ip", "merchant", "party"})

Path = tuple[str | int, ...]


def check_cards(envelope: Envelope, payload: Payload, in_clear: Collection[str] = (), *, of_engine: bool) -> None:
    """Refuse a card number in a text, or in the name of an entity or attribute.

    `of_engine`: the run is over a bank that the data engine made. Then the whole numbers that are ids of its entities are none. Ids of the
    entities `in_clear` are not looked at. A row of a generated world is not asked about: its columns are closed.

    Raises Quarantine(PAN_IN_CLEAR) with the place.
    """
    told: dict[str, Any] = msgspec.to_builtins(payload)
    if in_clear and "entities" in told:
        told["entities"] = {name: "" if name in in_clear else value for name, value in told["entities"].items()}
    if of_engine:
        told["entities"] = {name: value for name, value in told.get("entities", {}).items() if not _is_engine_id(name, value)}
    free = {name: value for name, value in msgspec.structs.asdict(envelope).items() if name in _FREE and value is not UNSET}
    for path, text in _texts({**free, "payload": told}, ()):
        if has_card(text):
            what = "a text holds a payment card number in clear"
            remedy = "Send a token or a keyed hash in its place. A mapping names entities whose ids only read so in `ids_in_clear`."
            raise Quarantine(Reason.PAN_IN_CLEAR, what, where=place(path), remedy=remedy)


def _is_engine_id(name: str, value: str | None) -> bool:
    return name in ENGINE_ENTITIES and value is not None and value.isascii() and value.isdigit()


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield (*path, key), key
            yield from _texts(below, (*path, key))
