"""The metrics reference of the documentation, written from the declarations: `python -m assay.app.reference.metrics_page FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from assay.app.metrics import GATE, PROCESS, WORKER

HEAD = """\
# Metrics

The gate and each worker answer `GET /metrics` in Prometheus' text format. A process exports what it measures itself. A counter without an
event has no series yet. Labels have closed, small sets of values: no id of a payment or a customer is one.

Times are exported as histograms. For a lane's times there are also the 50th and the 99th percentile since the start, to two digits. These
are for people and for the report; figures of a time window come from the histograms.

*Arrival* is the time at which the newest record of a fetch was written to Kafka, by its writer's clock: for a payment, the gate's. The time
in Kafka counts. Records that were written earlier and fetched together count with the time of the newest.

`infra/alerts.yaml` is an example of alerts for Prometheus.
"""
#: kind → what the exposition puts behind the name
_ENDS = {"counter": "_total", "info": "_info"}
_PARTS: tuple[tuple[str, CollectorRegistry], ...] = (("Worker", WORKER), ("Gate", GATE), ("Every process", PROCESS))


def metrics_reference() -> str:
    """The reference as Markdown, a table for each kind of process."""
    return HEAD + "".join(_part(title, registry) for title, registry in _PARTS)


def _part(title: str, registry: CollectorRegistry) -> str:
    rows = sorted(
        (family.name + ("_total" if family.type == "counter" else ""), family.type, family.documentation) for family in registry.collect()
    )
    lines = (f"| `{name}{'_info' if kind == 'info' else ''}` | {kind} | {sentence} |\n" for name, kind, sentence in rows)
    return f"\n## {title}\n\n| metric | kind | meaning |\n|---|---|---|\n{''.join(lines)}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(metrics_reference(), encoding="utf-8")
