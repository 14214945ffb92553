"""Receipts of a run: what the gate has told its clients, from the segments in the store and from lines that are not sealed yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from assay.app.gate.receipts import RECEIPTS
from assay.app.gate.spool import written
from assay.app.stores.objects import ObjectStore
from assay.contracts.event_classes import TRAFFIC


class Place(msgspec.Struct):
    """Where an admitted event lies on the bus; the offset is text."""

    topic: str = ""
    partition: int = 0
    offset: str = "-1"


class Receipt(msgspec.Struct):
    """What a receipt's line says that is asked for here."""

    decision: str
    event_class: str
    event_id: str
    eb_ref: Place = msgspec.field(default_factory=Place)


LINES = msgspec.json.Decoder(Receipt)


def admitted_receipts(store: ObjectStore, directory: Path) -> Iterator[list[Receipt]]:
    """Receipts of admitted payments, a list for each file."""
    for lines in written(store, directory, RECEIPTS):
        yield [one for one in LINES.decode_lines(lines) if one.decision == "ADMIT" and one.event_class == TRAFFIC]


def count_receipts(store: ObjectStore, directory: Path) -> int:
    """Distinct payments with a receipt."""
    return len({one.event_id for receipts in admitted_receipts(store, directory) for one in receipts})


def admitted_by_class(store: ObjectStore, directory: Path) -> Counter[str]:
    """Distinct admitted events of each class."""
    ids: dict[str, set[str]] = {}
    for lines in written(store, directory, RECEIPTS):
        for one in LINES.decode_lines(lines):
            if one.decision == "ADMIT":
                ids.setdefault(one.event_class, set()).add(one.event_id)
    return Counter({name: len(found) for name, found in ids.items()})
