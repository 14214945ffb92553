"""Every metric of the product, declared once with a sentence. A name that is not here cannot be measured.

Components add their declarations to this file, in the registry of the process that measures them; `exposition` is what `/metrics` of
that process answers, and no process exports another's zeros. docs/metrics.md is generated from it.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

import assay
from assay.app.metric_kinds import LATENCY_S, LONG_S, BuildInfo, CounterBy, TimesBy
from assay.app.run.code_digest import code_digest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
#: metrics of the gate's process, of a worker's, of the Scenario Runner's, of those that stream events or labels, and of all
GATE, WORKER, RUNNER, STREAMER, PROCESS = (CollectorRegistry() for _ in range(5))

# all
ProcessCollector(registry=PROCESS)
BuildInfo(
    PROCESS,
    "assay_build",
    "What runs: the version of assay, and the digest of the code that decides.",
    lambda: {"version": assay.__version__, "code_digest": code_digest().hex()},
)

# gate
GATE_DECISIONS: Final = CounterBy(GATE, "assay_gate_decisions_total", "Items the gate ended, by decision.", "decision")
GATE_REASONS: Final = CounterBy(GATE, "assay_gate_reasons_total", "Items the gate did not simply admit, by reason code.", "reason")
GATE_REFUSED_CALLS: Final = CounterBy(GATE, "assay_gate_refused_calls_total", "Calls refused as a whole, by reason code.", "reason")
GATE_CALL_SECONDS: Final = Histogram(
    "assay_gate_call_seconds",
    "Time from the headers of a call, the arrival of its body included, to its durable answer.",
    buckets=LATENCY_S,
    registry=GATE,
)
GATE_GROUP_ITEMS: Final = Histogram(
    "assay_gate_group_items", "Items admitted together in one group.", buckets=(1, 10, 100, 1_000, 5_000, 10_000), registry=GATE
)
GATE_ANSWERS: Final = CounterBy(GATE, "assay_gate_answers_total", "Answers to who waited for a decision: DECISION or FALLBACK.", "answered")
GATE_DECIDE_SECONDS: Final = Histogram(
    "assay_gate_decide_seconds",
    "Time from the headers of a call that waits for its decision to its answer.",
    buckets=LATENCY_S,
    registry=GATE,
)
GATE_CONNECTIONS: Final = Gauge("assay_gate_connections", "Connections that are open.", registry=GATE)
GATE_CONNECTIONS_CLOSED: Final = CounterBy(
    GATE, "assay_gate_connections_closed_total", "Connections closed because too many were open: of a stranger, resting, or new.", "kind"
)
GATE_UNSEALED_FILES: Final = Gauge(
    "assay_gate_unsealed_files", "Closed files of receipts and refused items that the object store has not taken yet.", registry=GATE
)
GATE_AMBIGUOUS: Final = Gauge("assay_gate_ambiguous_events", "Events of which nobody knows yet whether they are on the bus.", registry=GATE)
GATE_FORGOTTEN: Final = Counter("assay_gate_forgotten_ids", "Event ids that were forgotten behind the idempotency horizon.", registry=GATE)
GATE_RED: Final = Gauge("assay_gate_red", "1 while the gate cannot admit, else 0.", registry=GATE)

# lanes
DECISIONS: Final = CounterBy(WORKER, "assay_decisions_total", "Decisions published, by outcome.", "outcome")
DECISION_REASONS: Final = CounterBy(
    WORKER,
    "assay_decision_reasons_total",
    "Reasons of published decisions, by code of the policy; a decision may have several.",
    "reason",
)
LANE_ROWS: Final = CounterBy(WORKER, "assay_lane_rows_total", "Rows folded, by lane and shard.", "lane", "shard")
LANE_BATCHES: Final = CounterBy(WORKER, "assay_lane_batches_total", "Journal records folded, by lane and shard.", "lane", "shard")
LANE_JOURNAL_BYTES: Final = CounterBy(
    WORKER, "assay_lane_journal_bytes_total", "Bytes appended to the journal, by lane and shard.", "lane", "shard"
)
LANE_RECORDS_OUT: Final = CounterBy(WORKER, "assay_lane_records_out_total", "Records published, by topic handle.", "topic")
LANE_REFUSALS: Final = CounterBy(WORKER, "assay_lane_refusals_total", "Refused input records, by reason code.", "reason")
LANE_BATCH: Final = TimesBy(
    WORKER, "assay_lane_batch", "Time from making a journal record to the acknowledgement of its outputs.", "lane", "shard"
)
LANE_ARRIVAL: Final = TimesBy(
    WORKER,
    "assay_lane_arrival_to_output",
    "Time from the arrival of an input record to the acknowledgement of its outputs; in lane rtdl, from a payment to its decision.",
    "lane",
    "shard",
)
LANE_LAG_ROWS: Final = Gauge(
    "assay_lane_lag_rows",
    "Records of an input topic, by handle, that a lane of this worker has not finished with.",
    ["lane", "shard", "topic"],
    registry=WORKER,
)
LANE_OWNED: Final = Gauge(
    "assay_lane_owned", "1 where this worker runs the lane, 0 where it stands by.", ["lane", "shard"], registry=WORKER
)

# scenario runner
SR_REQUESTS: Final = CounterBy(RUNNER, "assay_sr_run_requests_total", "Requests over HTTP, by what was asked for.", "kind")
SR_REJECTED: Final = CounterBy(RUNNER, "assay_sr_runs_rejected_total", "Requests that were refused, by reason code.", "reason")
SR_ACCEPTED: Final = Counter("assay_sr_runs_accepted_total", "Runs that were opened.", registry=RUNNER)
SR_READY: Final = Counter("assay_sr_runs_ready_total", "Runs that became READY.", registry=RUNNER)
SR_FAILED: Final = CounterBy(RUNNER, "assay_sr_runs_failed_total", "Runs that ended FAILED, by reason code.", "reason")
SR_QUARANTINED: Final = Counter("assay_sr_runs_quarantined_total", "Runs that were set aside.", registry=RUNNER)
SR_WAITING: Final = Counter("assay_sr_runs_waiting_total", "Runs that had to wait for evidence, each counted once.", registry=RUNNER)
SR_ATTEMPTS: Final = CounterBy(RUNNER, "assay_sr_engine_attempts_total", "Attempts of the engine that ended, by outcome.", "outcome")
SR_PUBLISH_FAILURES: Final = Counter("assay_sr_ready_publish_failures_total", "Times READY could not be published.", registry=RUNNER)
SR_LEASES_LOST: Final = Counter("assay_sr_lease_lost_total", "Leases lost in the middle of work.", registry=RUNNER)
SR_POLICY_REVISIONS: Final = Counter("assay_sr_policy_revisions_total", "Changes of a run's policy that were published.", registry=RUNNER)
SR_POLICY_REFUSED: Final = CounterBy(
    RUNNER, "assay_sr_policy_revisions_refused_total", "Changes of a run's policy that were refused, by reason code.", "reason"
)
SR_ATTEMPT_SECONDS: Final = Histogram(
    "assay_sr_engine_attempt_seconds", "Time of an attempt of the engine.", buckets=LONG_S, registry=RUNNER
)
SR_WAIT_SECONDS: Final = Histogram(
    "assay_sr_evidence_wait_seconds",
    "Time from the first look that found evidence missing to the end of the wait.",
    buckets=LONG_S,
    registry=RUNNER,
)
SR_READY_SECONDS: Final = Histogram(
    "assay_sr_ready_commit_seconds", "Time from a run that was opened to its READY in the record.", buckets=LONG_S, registry=RUNNER
)

# world streamer, delivery of labels
STREAM_EVENTS_SENT: Final = CounterBy(STREAMER, "assay_stream_events_sent_total", "Events of first calls to the gate, by output.", "output")
STREAM_EVENTS_TAKEN: Final = CounterBy(
    STREAMER, "assay_stream_events_acknowledged_total", "Events that the gate answered, by output.", "output"
)
STREAM_EVENTS_REFUSED: Final = CounterBy(
    STREAMER, "assay_stream_events_refused_total", "Events that the gate set aside, by output.", "output"
)
STREAM_RETRIES: Final = Counter("assay_stream_retries_total", "Calls to the gate that were made again.", registry=STREAMER)
STREAM_IN_FLIGHT: Final = Gauge("assay_stream_in_flight", "Calls on their way, by output.", ["output"], registry=STREAMER)
STREAM_LAG_ROWS: Final = Gauge(
    "assay_stream_lag_rows", "Rows of an output that are not acknowledged, those of other lanes included.", ["output"], registry=STREAMER
)
STREAM_LANE_AWAITED: Final = Gauge(
    "assay_stream_lane_awaited",
    "1 while another lane stands still and this process waits for it, by that lane.",
    ["lane"],
    registry=STREAMER,
)
STREAM_CHECKPOINT: Final = Gauge(
    "assay_stream_checkpoint_timestamp_seconds",
    "When the checkpoint of an output was written last, in seconds since 1970; its age is `time()` minus this.",
    ["output"],
    registry=STREAMER,
)


def exposition(registry: CollectorRegistry) -> bytes:
    """The metrics of a process in Prometheus' text format: its own, and those of every process."""
    return generate_latest(registry) + generate_latest(PROCESS)


def declared(*registries: CollectorRegistry) -> dict[str, str]:
    """Metric name → its sentence, of these registries or of all, in the order of the names."""
    families = [family for registry in registries or (GATE, WORKER, RUNNER, STREAMER, PROCESS) for family in registry.collect()]
    return {family.name: family.documentation for family in sorted(families, key=lambda family: family.name)}
