"""Receipts by what they name, from the segments in the store and from lines that are not sealed yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from assay.app.gate.receipts import RECEIPTS
from assay.app.gate.spool import written
from assay.app.run.directory import Run

Line: TypeAlias = dict[str, Any]


def receipts_named(run: Run, wanted: str) -> Iterator[Line]:
    """Receipts with this receipt id, or of this event id, each once, in the order of their lines. The open file comes last."""
    needles = [f'"receipt_id":{json.dumps(wanted)}'.encode(), f'"event_id":{json.dumps(wanted)}'.encode(), _unescaped(wanted)]
    return _receipts(run, needles, lambda line: wanted in (line["receipt_id"], line["event_id"]))


def receipts_at(run: Run, partition: int, offset: int) -> Iterator[Line]:
    """Receipts of the events at this partition and offset of any topic, in the same order."""
    needle = f'"partition":{partition},"offset":"{offset}"'.encode()

    def meant(line: Line) -> bool:
        place = line.get("eb_ref") or {}
        return (place.get("partition"), place.get("offset")) == (partition, str(offset))

    return _receipts(run, [needle], meant)


def _receipts(run: Run, needles: Sequence[bytes], meant: Callable[[Line], bool]) -> Iterator[Line]:
    """Lines that hold one of the needles and are meant. A line is read only where a needle is in it."""
    seen = set[bytes]()
    for data in written(run.store, run.directory, RECEIPTS):
        if not any(needle in data for needle in needles):
            continue
        for line in data.splitlines():
            if line in seen or not any(needle in line for needle in needles):
                continue
            seen.add(line)
            receipt = msgspec.json.decode(line, type=dict[str, Any])
            if meant(receipt):
                yield receipt


def _unescaped(event_id: str) -> bytes:
    """How the receipt of a refused item writes an event id."""
    return b'"event_id":' + msgspec.json.encode(event_id.encode("utf-8", "replace").decode())
