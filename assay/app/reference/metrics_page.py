"""The metrics reference of the documentation, written from the declarations: `python -m assay.app.reference.metrics_page FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from assay.app.metrics import GATE, PROCESS, RUNNER, STREAMER, WORKER

HEAD = """\
# Metrics

The gate, each worker and `assay sr serve` answer `GET /metrics` in Prometheus' text format. So do `assay stream` and `assay labels deliver`
on this machine with `--metrics-port`; port 0 takes a free one, which is printed. A process exports what it measures itself. A counter
without an event has no series yet. Labels have closed, small sets of values: no id of a payment or a customer is one.

Times are exported as histograms. For a lane's times there are also the 50th and the 99th percentile since the start, to two digits. These
are for people and for the report; figures of a time window come from the histograms.

*Arrival* is the time at which the newest record of a fetch was written to Kafka, by its writer's clock: for a payment, the gate's. The time
in Kafka counts. Records that were written earlier and fetched together count with the time of the newest.

`infra/alerts.yaml` is an example of alerts for Prometheus.
"""
TAIL = """
## Names elsewhere

Other papers name these figures without a prefix and in milliseconds. Here every name begins with `assay_`, and times are histograms in
seconds.

| name there | name here |
|---|---|
| `sr_run_requests_total{kind}` | `assay_sr_run_requests_total{kind}` |
| `sr_runs_accepted_total`, `sr_runs_ready_total` | `assay_sr_runs_accepted_total`, `assay_sr_runs_ready_total` |
| `sr_runs_rejected_total{reason}` | `assay_sr_runs_rejected_total{reason}` |
| `sr_runs_failed_total{reason}` | `assay_sr_runs_failed_total{reason}` |
| `sr_runs_quarantined_total`, `sr_runs_waiting_total` | `assay_sr_runs_quarantined_total`, `assay_sr_runs_waiting_total` |
| `sr_engine_attempts_total{outcome}` | `assay_sr_engine_attempts_total{outcome}` |
| `sr_engine_attempt_duration_ms` | `assay_sr_engine_attempt_seconds` |
| `sr_evidence_wait_duration_ms` | `assay_sr_evidence_wait_seconds` |
| `sr_ready_commit_latency_ms` | `assay_sr_ready_commit_seconds` |
| `sr_ready_publish_failures_total`, `sr_lease_lost_total` | `assay_sr_ready_publish_failures_total`, `assay_sr_lease_lost_total` |

The rate of a stream is `rate(assay_stream_events_acknowledged_total[1m])`. The age of a checkpoint is
`time() - assay_stream_checkpoint_timestamp_seconds`.
"""
#: kind → what the exposition puts behind the name
_ENDS = {"counter": "_total", "info": "_info"}
_PARTS: tuple[tuple[str, CollectorRegistry], ...] = (
    ("Worker", WORKER),
    ("Gate", GATE),
    ("Scenario Runner", RUNNER),
    ("World streamer and delivery of labels", STREAMER),
    ("Every process", PROCESS),
)


def metrics_reference() -> str:
    """The reference as Markdown, a table for each kind of process."""
    return HEAD + "".join(_part(title, registry) for title, registry in _PARTS) + TAIL


def _part(title: str, registry: CollectorRegistry) -> str:
    rows = sorted(
        (family.name + ("_total" if family.type == "counter" else ""), family.type, family.documentation) for family in registry.collect()
    )
    lines = (f"| `{name}{'_info' if kind == 'info' else ''}` | {kind} | {sentence} |\n" for name, kind, sentence in rows)
    return f"\n## {title}\n\n| metric | kind | meaning |\n|---|---|---|\n{''.join(lines)}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(metrics_reference(), encoding="utf-8")
