"""What a lane counts per batch."""

from __future__ import annotations

from collections import Counter

from assay.agents.step import JournalEntry, LaneId, LaneOutput
from assay.app import metrics
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of


class BatchMetrics:
    """Called after each batch is folded; one call a batch, so that counting costs nothing per record."""

    def __init__(self, lane: LaneId, dead_letter: str) -> None:
        self._lane = lane
        self._dead_letter = dead_letter

    def __call__(self, entry: JournalEntry, output: LaneOutput, latency_s: float) -> None:
        """`latency_s`: from the making of the journal record to the acknowledgement of its outputs."""
        metrics.LANE_ROWS.add_one(entry.rows, *self._lane)
        metrics.LANE_BATCHES.add_one(1, *self._lane)
        metrics.LANE_JOURNAL_BYTES.add_one(len(entry.value), *self._lane)
        metrics.LANE_RECORDS_OUT.add({emission.handle: len(emission.partitions) for emission in output.emissions})
        metrics.LANE_BATCH_SECONDS.observe(latency_s)
        for emission in output.emissions:
            if emission.handle == self._dead_letter:
                metrics.LANE_REFUSALS.add(refusals_by_reason(emission.values))


def refusals_by_reason(values: Strings) -> dict[str, int]:
    """Quarantine records counted by their reason code."""
    plan = plan_of("quarantine_record", frozenset({"reason"}))
    reasons = decode(plan, values.data, values.starts, values.lengths, HEADER_BYTES).columns["reason"]
    return dict(Counter(reason or "" for reason in reasons.text())) if isinstance(reasons, Strings) else {}
