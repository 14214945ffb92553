"""Watermarks: written to every partition of a class's topic once everything admitted before them is acknowledged."""

from __future__ import annotations

from typing import Any

from assay.agents.specs import WATERMARK
from assay.app.gate.calls import MarkCall
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.policy import TOPIC_OF_CLASS
from assay.app.gate.publication import Publication
from assay.app.gate.publisher import BusPublisher
from assay.app.gate.records import BusRecords
from assay.codecs.single_object import pack
from assay.contracts import instants
from assay.contracts.errors import Quarantine, Retry
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason


class Marks:
    """The last mark of each class of one run, and how a new one is written. Used by the thread that settles."""

    def __init__(self, index: AdmissionIndex, publisher: BusPublisher, pins: Pins) -> None:
        self._index = index
        self._publisher = publisher
        self._pins = pins

    def write(self, call: MarkCall) -> dict[str, Any]:
        """Remember and publish a mark for each class of the call; what it was answered.

        Called in turn with the admission groups, so everything admitted before is acknowledged. Raises
        Quarantine(MARK_BACKWARDS) before anything is written, Retry when a part fails; the same mark may be sent again.
        """
        last = self._index.marks(self._pins.platform_run_id)
        for name in call.classes:
            if call.ts_us < last.get(name, call.ts_us):
                what = f"the mark {instants.text(call.ts_us)} of class {name} is behind {instants.text(last[name])}"
                raise Quarantine(Reason.MARK_BACKWARDS, what, remedy="Marks only move forward; this one promises less than the last.")
        partitions = {name: self._publisher.partitions(TOPIC_OF_CLASS[name]) for name in call.classes}
        publication = Publication(sum(partitions.values()))
        start = 0
        for name, count in partitions.items():
            self._index.mark(self._pins.platform_run_id, name, call.ts_us, call.final)
            records = self._records(TOPIC_OF_CLASS[name], count, call)
            self._publisher.publish(TOPIC_OF_CLASS[name], records, publication, range(start, start + count))
            start += count
        if None in self._publisher.wait(publication):
            raise Retry(Reason.PUBLISH_AMBIGUOUS, "the bus did not acknowledge a mark", remedy="Send the same mark again.")
        return {"ts_utc": instants.text(call.ts_us), "final": call.final, "partitions": partitions}

    def _records(self, handle: str, partitions: int, call: MarkCall) -> BusRecords:
        pins = self._pins.as_avro()
        values = [
            pack(WATERMARK, {"pins": pins, "topic": handle, "partition": partition, "ts_utc": call.ts_us, "final": call.final})
            for partition in range(partitions)
        ]
        return BusRecords(WATERMARK, [self._pins.platform_run_id.encode()] * partitions, values, list(range(partitions)))
