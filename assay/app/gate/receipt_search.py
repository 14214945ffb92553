"""Receipts by what they name, from the segments in the store and from lines that are not sealed yet.

The index rules segments out. A receipt that lies in a segment says where: `segment` is its key, `row` the number of its line from 0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from assay.app.gate.receipts import RECEIPTS
from assay.app.gate.segment_rows import RuledOut, none_ruled_out
from assay.app.gate.spool import placed
from assay.app.run.directory import Run
from assay.tables.receipt_names import ID, PLACE, place_name, probe_of

Line: TypeAlias = dict[str, Any]


def receipts_named(run: Run, wanted: str, out: RuledOut = none_ruled_out) -> Iterator[Line]:
    """Receipts with this receipt id, or of this event id, each once, in the order of their lines. The open file comes last."""
    written = list(dict.fromkeys((json.dumps(wanted).encode(), _unescaped(wanted))))
    needles = [name + text for text in written for name in (b'"receipt_id":', b'"event_id":')]
    probes = [probe_of(text[1:-1], ID) for text in written]
    return _receipts(run, needles, out(probes), lambda line: wanted in (line["receipt_id"], line["event_id"]))


def receipts_at(run: Run, partition: int, offset: int, out: RuledOut = none_ruled_out) -> Iterator[Line]:
    """Receipts of the events at this partition and offset of any topic, in the same order."""
    name = place_name(partition, offset)

    def meant(line: Line) -> bool:
        place = line.get("eb_ref") or {}
        return (place.get("partition"), place.get("offset")) == (partition, str(offset))

    return _receipts(run, [b'"partition":' + name + b'"'], out([probe_of(name, PLACE)]), meant)


def _receipts(run: Run, needles: Sequence[bytes], without: Collection[str], meant: Callable[[Line], bool]) -> Iterator[Line]:
    """Lines that hold one of the needles and are meant. A line is read only where a needle is in it."""
    seen = set[bytes]()
    for segment, data in placed(run.store, run.directory, RECEIPTS, without):
        if not any(needle in data for needle in needles):
            continue
        for row, line in enumerate(data.split(b"\n")):
            if line in seen or not any(needle in line for needle in needles):
                continue
            seen.add(line)
            receipt = msgspec.json.decode(line, type=dict[str, Any])
            if meant(receipt):
                yield {**receipt, "segment": segment, "row": row} if segment else receipt


def _unescaped(event_id: str) -> bytes:
    """How the receipt of a refused item writes an event id, quotes included."""
    return msgspec.json.encode(event_id.encode("utf-8", "replace").decode())
