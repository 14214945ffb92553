"""A lane is counted under its identity, and its dead letters by their reason."""

from __future__ import annotations

from assay.agents.step import JournalEntry, LaneId, LaneOutput
from assay.app.lane.metrics import BatchMetrics, refusals_by_reason
from assay.app.metrics import exposition
from assay.codecs.columns import Strings
from assay.codecs.single_object import pack


def test_a_batch_is_counted_under_the_name_and_the_shard_of_its_lane() -> None:
    BatchMetrics(LaneId("counted", 3), "DEAD")(JournalEntry(0, b"value", 7), LaneOutput(()), 0.1)
    text = exposition().decode()
    assert 'assay_lane_rows_total{lane="counted",shard="3"} 7.0' in text
    assert 'assay_lane_batches_total{lane="counted",shard="3"} 1.0' in text
    assert 'assay_lane_journal_bytes_total{lane="counted",shard="3"} 5.0' in text


def test_quarantine_records_are_counted_by_reason() -> None:
    record = {"topic": "T", "partition": 0, "offset": 1, "detail": "d", "recorded_at_utc": 1, "raw": b"r"}
    values = [pack("quarantine_record", {**record, "reason": reason}) for reason in ("A", "B", "A")]
    assert refusals_by_reason(Strings.of(values)) == {"A": 2, "B": 1}
    assert refusals_by_reason(Strings.of([])) == {}
