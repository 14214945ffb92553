"""How many payments came into a live run, counted where a crash may have left a trace of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gate_process import run_in
from records import TRAFFIC, label, mark, payment

from assay.app.bus.publisher import KafkaPublisher, OutboundRecord
from assay.app.demo.admitted import admitted_triggers
from assay.app.gate.receipts import RECEIPTS, spool_of
from assay.app.substrate import Server

pytestmark = pytest.mark.tier2
T_US = 1_767_225_600_000_000


def receipt(event_id: str, decision: str = "ADMIT", event_class: str = "traffic") -> bytes:
    """A receipt's line, as far as it is read."""
    return json.dumps({"receipt_id": "1", "decision": decision, "event_id": event_id, "event_class": event_class}).encode() + b"\n"


def test_every_payment_with_a_receipt_or_on_the_topic_counts_once(kafka: Server, namespace: str, tmp_path: Path) -> None:
    run = run_in(tmp_path, kafka.address, "", namespace)
    on_topic = [
        payment("receipted", T_US),
        payment("receipted", T_US),  # published again after a crash
        payment("killed before its receipt", T_US),
        mark(TRAFFIC, 0, T_US),
        b"what is no record",
        label("l", T_US, "receipted", T_US),
    ]
    records = [OutboundRecord(b"k", value, number % 2) for number, value in enumerate(on_topic)]
    KafkaPublisher(kafka.address, namespace).publish(TRAFFIC, records)
    sealed = [
        receipt("receipted"), receipt("receipted"), receipt("receipted", "DUPLICATE"), receipt("refused", "QUARANTINE"),
        receipt("a fact", event_class="context"), receipt("lost by the topic"),
    ]  # fmt: skip
    run.store.create(f"{RECEIPTS}/seg-000000000000-000006.ndjson", b"".join(sealed))
    open_file = spool_of(run.directory, RECEIPTS)
    open_file.parent.mkdir()
    open_file.write_bytes(receipt("not sealed yet") + receipt("torn")[:-9])
    payments = {"receipted", "killed before its receipt", "lost by the topic", "not sealed yet"}
    refused_by_the_lane = {"what is no record", "a label"}
    assert admitted_triggers(run) == len(payments | refused_by_the_lane)
