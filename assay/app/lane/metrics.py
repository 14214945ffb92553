"""What a lane counts per batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from assay.agents.step import Chunk, JournalEntry, LaneId, LaneOutput, TopicPartition
from assay.app import metrics
from assay.app.lane.arrivals import Arrivals, Clock, LaneWatch, Waited
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of

#: fields by which an emission is counted
_COUNTED = {"outcome": metrics.DECISIONS, "reason": metrics.DECISION_REASONS}


class BatchMetrics(LaneWatch):
    """Counts once a batch, so that counting costs nothing per record."""

    def __init__(self, lane: LaneId, dead_letter: str) -> None:
        self._lane = lane
        self._dead_letter = dead_letter
        self._arrivals = Arrivals()

    def arrived(self, chunk: Chunk, clock: Clock) -> None:
        self._arrivals.note(chunk, chunk.newest_ms * 1_000 or clock())

    def folded(self, position: Callable[[], Mapping[TopicPartition, int]]) -> Sequence[Waited]:
        return self._arrivals.folded(position())

    def published(self, entry: JournalEntry, output: LaneOutput, made_us: int, waited: Sequence[Waited], clock: Clock) -> None:
        """Count one journal record with what it gave."""
        now_us = clock()
        metrics.LANE_ROWS.add_one(entry.rows, *self._lane)
        metrics.LANE_BATCHES.add_one(1, *self._lane)
        metrics.LANE_JOURNAL_BYTES.add_one(len(entry.value), *self._lane)
        metrics.LANE_RECORDS_OUT.add({emission.handle: len(emission.partitions) for emission in output.emissions})
        times = np.array([(now_us - made_us, 1), *((now_us - arrived_us, records) for arrived_us, records in waited)], np.int64)
        metrics.LANE_BATCH.observe(times[:1, 0] / 1e6, times[:1, 1], *self._lane)
        if waited:
            metrics.LANE_ARRIVAL.observe(times[1:, 0] / 1e6, times[1:, 1], *self._lane)
        for emission in output.emissions:
            if emission.handle == self._dead_letter:
                metrics.LANE_REFUSALS.add(refusals_by_reason(emission.values))
            for name, counter in _COUNTED.items():
                if name in emission.counted:
                    counter.add(emission.counted[name].tally())


def refusals_by_reason(values: Strings) -> dict[str, int]:
    """Quarantine records counted by their reason code."""
    plan = plan_of("quarantine_record", frozenset({"reason"}))
    reasons = decode(plan, values.data, values.starts, values.lengths, HEADER_BYTES).columns["reason"]
    return dict(Counter(reason or "" for reason in reasons.text())) if isinstance(reasons, Strings) else {}
