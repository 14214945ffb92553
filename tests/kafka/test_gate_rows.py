"""A run that streams a generated world, on real Kafka and PostgreSQL: rows reach the topics of their classes, and marks too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gate_events import NOW_US, SCOPE, event, row
from gate_process import GateProcess, mark, run_in

from assay.app.gate.row_examples import row_examples
from assay.app.substrate import Server
from assay.contracts import instants
from assay.contracts.engine_events import ENGINE_EVENTS, engine_events
from assay.contracts.keys import partition_for
from assay.contracts.traffic_modes import FRAUD

TRAFFIC = "baseline"
ROWS = [body for name, body in row_examples(SCOPE, TRAFFIC, NOW_US).items() if name.startswith("envelope of")]


@pytest.fixture
def gate(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Iterator[GateProcess]:
    process = GateProcess(run_in(tmp_path / "run", kafka.address, dsn, namespace, traffic=TRAFFIC))
    yield process
    process.kill()


def ends(answer: Any) -> list[str]:
    return [result.get("error") or result["admission"] for result in answer["results"]]


def test_a_world_is_admitted_once_by_class_and_what_is_behind_a_mark_or_of_another_run_is_not(gate: GateProcess) -> None:
    status, first = gate.batch(ROWS)
    assert (status, ends(first)) == (200, ["ADMIT"] * len(ROWS))
    assert ends(gate.batch(ROWS)[1]) == ["DUPLICATE"] * len(ROWS)
    late = {**row("arrival_events_5B"), "event_id": "late"}
    context = [one.event_class for one in engine_events(TRAFFIC) if one.event_class.startswith("context")]
    after = instants.text(NOW_US)
    assert gate.post("/v1/ingest/marks", mark(after, classes=context))[1]["partitions"] == dict.fromkeys(context, 3)
    others = [late, row(FRAUD.events), event()]
    assert ends(gate.batch(others)[1]) == ["LATE_BEYOND_WATERMARK", "TRAFFIC_MODES_MIXED", "EVENT_TYPE_UNKNOWN"]
    status, marked = gate.post("/v1/ingest/marks", mark(after, final=True))
    assert (status, set(marked["partitions"])) == (200, {*(one.event_class for one in engine_events(TRAFFIC)), "label"})
    for document in ROWS:
        known = ENGINE_EVENTS.get(document["event_type"])
        if known is None:
            continue
        held = gate.on_bus(known.handle)
        marks = 2 if known.event_class in context else 1
        assert Counter(name for _, _, name, _ in held) == {known.record: 1, "mark": 3 * marks}
        (place,) = ((partition, record["event_id"]) for partition, _, name, record in held if name == known.record)
        key = str(document["payload"]["flow_id" if "flow_id" in document["payload"] else "merchant_id"]).encode()
        assert place == (partition_for(key, 3), document["event_id"])
    assert gate.stop() == 0
    admitted = Counter(line["event_class"] for line in gate.receipts() if line["decision"] == "ADMIT")
    assert admitted == dict.fromkeys(marked["partitions"], 1)
    assert sorted(one["reason_codes"][0] for one in gate.receipts("quarantine")) == [
        "EVENT_TYPE_UNKNOWN", "LATE_BEYOND_WATERMARK", "TRAFFIC_MODES_MIXED"
    ]  # fmt: skip
