"""Every metric of the product, declared once with a sentence. A name that is not here cannot be measured.

Components add their declarations to this file; `exposition()` is what `/metrics` answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REGISTRY: Final = CollectorRegistry()
_LATENCY_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class CounterBy:
    """A counter split by labels, each with a closed, small set of values."""

    def __init__(self, name: str, sentence: str, *labels: str) -> None:
        self._counter = Counter(name, sentence, labels, registry=REGISTRY)

    def add(self, counts: Mapping[str, int]) -> None:
        """Add to several values of the only label at once."""
        for value, count in counts.items():
            self.add_one(count, value)

    def add_one(self, count: int, *values: object) -> None:
        """Add to one value of each label."""
        if count:
            self._counter.labels(*values).inc(count)


# gate
GATE_DECISIONS: Final = CounterBy("assay_gate_decisions_total", "Items the gate ended, by decision.", "decision")
GATE_REASONS: Final = CounterBy("assay_gate_reasons_total", "Items the gate did not simply admit, by reason code.", "reason")
GATE_REFUSED_CALLS: Final = CounterBy("assay_gate_refused_calls_total", "Calls refused as a whole, by reason code.", "reason")
GATE_CALL_SECONDS: Final = Histogram(
    "assay_gate_call_seconds", "Time from a call's arrival to its durable answer.", buckets=_LATENCY_S, registry=REGISTRY
)
GATE_GROUP_ITEMS: Final = Histogram(
    "assay_gate_group_items", "Items admitted together in one group.", buckets=(1, 10, 100, 1_000, 5_000, 10_000), registry=REGISTRY
)
GATE_CONNECTIONS: Final = Gauge("assay_gate_connections", "Connections that are open.", registry=REGISTRY)
GATE_CONNECTIONS_CLOSED: Final = CounterBy(
    "assay_gate_connections_closed_total", "Connections closed because too many were open: of a stranger, resting, or new.", "kind"
)
GATE_RED: Final = Gauge("assay_gate_red", "1 while the gate cannot admit, else 0.", registry=REGISTRY)


# lanes
LANE_ROWS: Final = CounterBy("assay_lane_rows_total", "Rows folded, by lane and shard.", "lane", "shard")
LANE_BATCHES: Final = CounterBy("assay_lane_batches_total", "Journal records folded, by lane and shard.", "lane", "shard")
LANE_JOURNAL_BYTES: Final = CounterBy(
    "assay_lane_journal_bytes_total", "Bytes appended to the journal, by lane and shard.", "lane", "shard"
)
LANE_RECORDS_OUT: Final = CounterBy("assay_lane_records_out_total", "Records published, by topic handle.", "topic")
LANE_REFUSALS: Final = CounterBy("assay_lane_refusals_total", "Refused input records, by reason code.", "reason")
LANE_BATCH_SECONDS: Final = Histogram(
    "assay_lane_batch_seconds",
    "Time from making a journal record to the acknowledgement of its outputs.",
    buckets=_LATENCY_S,
    registry=REGISTRY,
)
LANE_LAG_ROWS: Final = Gauge(
    "assay_lane_lag_rows",
    "Records of an input topic, by handle, that a lane of this worker has not finished with.",
    ["lane", "shard", "topic"],
    registry=REGISTRY,
)
LANE_OWNED: Final = Gauge(
    "assay_lane_owned", "1 where this worker runs the lane, 0 where it stands by.", ["lane", "shard"], registry=REGISTRY
)


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)


def declared() -> dict[str, str]:
    """Metric name → its sentence, in the order of the names."""
    return {family.name: family.documentation for family in sorted(REGISTRY.collect(), key=lambda family: family.name)}
