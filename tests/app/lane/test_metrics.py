"""What a batch adds to the metrics of its lane; what is set aside is counted by its reason."""

from __future__ import annotations

import numpy as np

from assay.agents.step import Emission, JournalEntry, LaneId, LaneOutput
from assay.app.lane.arrivals import Waited
from assay.app.lane.metrics import BatchMetrics, refusals_by_reason
from assay.app.metrics import WORKER, exposition
from assay.codecs.columns import Strings
from assay.codecs.single_object import pack
from assay.contracts.handles import RTDL


def test_a_batch_is_counted_under_the_name_and_the_shard_of_its_lane() -> None:
    BatchMetrics(LaneId("counted", 3), "DEAD").published(JournalEntry(0, b"value", 7), LaneOutput(()), 0, (), lambda: 125_000)
    text = exposition(WORKER).decode()
    assert 'assay_lane_rows_total{lane="counted",shard="3"} 7.0' in text
    assert 'assay_lane_batches_total{lane="counted",shard="3"} 1.0' in text
    assert 'assay_lane_journal_bytes_total{lane="counted",shard="3"} 5.0' in text


def test_quarantine_records_are_counted_by_reason() -> None:
    record = {"topic": "T", "partition": 0, "offset": 1, "detail": "d", "recorded_at_utc": 1, "raw": b"r"}
    values = [pack("quarantine_record", {**record, "reason": reason}) for reason in ("A", "B", "A")]
    assert refusals_by_reason(Strings.of(values)) == {"A": 2, "B": 1}
    assert refusals_by_reason(Strings.of([])) == {}


def test_a_batch_counts_its_rows_bytes_outputs_refusals_and_latency() -> None:
    record = {"topic": "T", "partition": 0, "offset": 1, "detail": "d", "recorded_at_utc": 1, "raw": b"r", "reason": "A_REASON"}
    letters = Emission("FP_BUS_QUARANTINE_V1", np.zeros(1, np.int32), Strings.of([b"k"]), Strings.of([pack("quarantine_record", record)]))
    decisions = Emission("FP_OF_THIS_TEST", np.zeros(2, np.int32), Strings.of([b"k"] * 2), Strings.of([b"v"] * 2))
    before = _samples()
    of_this_test = BatchMetrics(LaneId("of-this-test", 0), "FP_BUS_QUARANTINE_V1")
    waited = (Waited(500_000, 3), Waited(900_000, 2))
    of_this_test.published(JournalEntry(3, b"12345", 7), LaneOutput([letters, decisions]), 1_000_000, waited, lambda: 1_250_000)
    after = _samples()
    added = {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}
    assert {name: value for name, value in added.items() if "_bucket" not in name and "_percentile" not in name} == {
        'assay_lane_rows_total{lane="of-this-test",shard="0"}': 7,
        'assay_lane_batches_total{lane="of-this-test",shard="0"}': 1,
        'assay_lane_journal_bytes_total{lane="of-this-test",shard="0"}': 5,
        'assay_lane_records_out_total{topic="FP_BUS_QUARANTINE_V1"}': 1,
        'assay_lane_records_out_total{topic="FP_OF_THIS_TEST"}': 2,
        'assay_lane_refusals_total{reason="A_REASON"}': 1,
        'assay_lane_batch_seconds_count{lane="of-this-test",shard="0"}': 1,
        'assay_lane_batch_seconds_sum{lane="of-this-test",shard="0"}': 0.25,
        'assay_lane_arrival_to_output_seconds_count{lane="of-this-test",shard="0"}': 5,
        'assay_lane_arrival_to_output_seconds_sum{lane="of-this-test",shard="0"}': 3 * 0.75 + 2 * 0.35,
    }


def test_records_are_counted_by_the_fields_that_say_so() -> None:
    codes = Strings.of(["OF_THIS_TEST", "AND_THIS"])
    outcomes = Strings.of(["ALLOW", "DECLINE"]).take(np.array([1, 1, 0]))
    counted = {"outcome": outcomes, "reason": codes.take(np.array([0, 1, 1, 1, 0]))}
    published = Emission(RTDL, np.zeros(3, np.int32), Strings.of([b"k"] * 3), Strings.of([b"v"] * 3), counted)
    before = _samples()
    BatchMetrics(LaneId("deciding", 0), "DEAD").published(JournalEntry(0, b"", 3), LaneOutput([published]), 0, (), lambda: 0)
    added = {name: value - before.get(name, 0.0) for name, value in _samples().items() if name.startswith("assay_decision")}
    assert {name: value for name, value in added.items() if value} == {
        'assay_decisions_total{outcome="ALLOW"}': 1,
        'assay_decisions_total{outcome="DECLINE"}': 2,
        'assay_decision_reasons_total{reason="OF_THIS_TEST"}': 2,
        'assay_decision_reasons_total{reason="AND_THIS"}': 3,
    }


def _samples() -> dict[str, float]:
    lines = [line for line in exposition(WORKER).decode().splitlines() if line.startswith("assay_")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
