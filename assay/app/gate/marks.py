"""Watermarks: written to every partition of a class's topic once everything admitted before them is acknowledged, and kept from then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from assay.agents.specs import WATERMARK
from assay.app.gate.calls import MarkCall
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.index_marks import Mark, marks_of, move_marks
from assay.app.gate.policy import TOPIC_OF_CLASS
from assay.app.gate.publication import Publication
from assay.app.gate.publisher import BusPublisher
from assay.app.gate.records import BusRecords
from assay.codecs.single_object import pack
from assay.contracts import instants
from assay.contracts.errors import Quarantine, Retry
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason


class LastMarks:
    """The last mark of each class of one run: which one may follow it, and which events are behind it. Used by the thread that claims."""

    def __init__(self, index: AdmissionIndex, platform_run_id: str, future_tolerance_us: int) -> None:
        self._index, self._run, self._tolerance_us = index, platform_run_id, future_tolerance_us
        self._last: dict[str, Mark] | None = None

    def of_classes(self) -> dict[str, Mark]:
        """Event class → its last mark, of those that have one. Raises Retry(INDEX_UNAVAILABLE)."""
        if self._last is None:
            self._last = self._index.ask(lambda connection: marks_of(connection, self._run))
        return self._last

    def forget(self) -> None:
        """Another process has moved the marks: they are read again."""
        self._last = None

    def take(self, call: MarkCall, now_us: int) -> None:
        """Events that are claimed from now on, by any process, have to keep this mark. It is remembered before it is published.

        Raises Quarantine(TIME_IN_FUTURE | MARK_BACKWARDS), with nothing changed, and Retry(INDEX_UNAVAILABLE).
        """
        if call.ts_us > now_us + self._tolerance_us:
            what = f"the mark {instants.text(call.ts_us)} is ahead of the gate's clock {instants.text(now_us)}"
            remedy = "Mark what has been posted: a mark is not taken back, and every event behind it is refused."
            raise Quarantine(Reason.TIME_IN_FUTURE, what, where="$.ts_utc", remedy=remedy)
        self._last = self._index.ask(lambda connection: move_marks(connection, self._run, lambda last: _moved(last, call)))


def _moved(last: Mapping[str, Mark], call: MarkCall) -> dict[str, Mark]:
    for name in call.classes:
        if name in last and call.ts_us < last[name].ts_us:
            what = f"the mark {instants.text(call.ts_us)} of class {name} is behind {instants.text(last[name].ts_us)}"
            raise Quarantine(Reason.MARK_BACKWARDS, what, remedy="Marks only move forward; this one promises less than the last.")
    return {name: Mark(call.ts_us, call.final or (name in last and last[name].final)) for name in call.classes}


def check_mark(mark: Mark, event_class: str, ts_us: int) -> None:
    """No lane could fold an event behind a mark. Raises Quarantine(LATE_BEYOND_WATERMARK)."""
    if mark.final:
        what = f"the final mark of class {event_class} says that everything has been posted"
        raise Quarantine(Reason.LATE_BEYOND_WATERMARK, what, where="$.ts_utc", remedy="Marks are not taken back: post it to another run.")
    if ts_us < mark.ts_us:
        what = f"{instants.text(ts_us)} is behind the mark of class {event_class}: all before {instants.text(mark.ts_us)} has been posted"
        remedy = "Marks are not taken back: correct the time, or post it to another run."
        raise Quarantine(Reason.LATE_BEYOND_WATERMARK, what, where="$.ts_utc", remedy=remedy)


class Marks:
    """How a mark is written. Used by the thread that settles. `earlier` waits until every batch that any process of the gate began
    before a mark was taken is settled."""

    def __init__(self, publisher: BusPublisher, pins: Pins, earlier: Callable[[], None]) -> None:
        self._publisher, self._pins, self._earlier = publisher, pins, earlier

    def write(self, call: MarkCall) -> dict[str, Any]:
        """Publish a mark for each class of the call; what it was answered.

        Called in turn with the admission groups, so everything admitted before is acknowledged. Raises Retry when a part fails, or while
        something before it is IN_FLIGHT or AMBIGUOUS; the same mark may be sent again.
        """
        self._earlier()
        partitions = {name: self._publisher.partitions(TOPIC_OF_CLASS[name]) for name in call.classes}
        publication = Publication(sum(partitions.values()))
        start = 0
        for name, count in partitions.items():
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
