"""`assay up` as users run it: posted to, run twice at once, killed, stopped, and gone on with; its report has real verdicts."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from assay_command import assay
from forged_chains import forge
from live_up import Up, own_client
from records import RTDL, TRAFFIC, payment
from run_layout import layout_faults

from assay.app.bus.publisher import KafkaPublisher, OutboundRecord
from assay.app.bus.topic_reader import read_records
from assay.app.report.evidence import RunEvidence
from assay.app.report.verdicts import CAME_IN
from assay.app.run.directory import Run
from assay.app.runner.answers import show
from assay.codecs.single_object import unpack
from assay.contracts.handles import CONTROL
from assay.tables.feature_plan import compile_plan

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(600)]


def decided(directory: Path, event_id: str) -> dict[str, Any]:
    """The feature values of a decision by their names, as assay reads them."""
    run = Run.load(directory)
    plan = compile_plan(run.config.features)
    unpacked = (unpack(record.value or b"") for record in read_records(run.bootstrap, RTDL, run.namespace))
    decisions = [record for name, record in unpacked if name == "decision_response"]
    (values,) = (one["features"] for one in decisions if one["source_event"]["event_id"] == event_id)
    names = (*plan.long_names, *plan.double_names)
    return dict(zip(names, (*values["longs"], *values["doubles"]), strict=True))


def said_ready(directory: Path) -> list[str]:
    """The READYs on the bus of a run, by their ids."""
    run = Run.load(directory)
    unpacked = (unpack(record.value or b"") for record in read_records(run.bootstrap, CONTROL, run.namespace))
    return [str(record["event_id"]) for name, record in unpacked if name == "run_ready"]


def read_elsewhere(directory: Path, events: Sequence[str]) -> None:
    """Other programs read these decisions of a run: with a client of their own, from `assay topic cat`, and from Parquet files."""
    lines = own_client(directory)
    assert lines[0] == {
        "event_id": "pay-0", "outcome": "ALLOW", "score": 0, "reasons": [], "amount_minor": 2_500, "currency": "EUR",
        "entities": {"customer": "customer-1", "terminal": "terminal-1"}, "features": decided(directory, "pay-0"),
    }  # fmt: skip
    assert [line["event_id"] for line in lines] == events
    at, folder = ("--run", directory), directory.parent / "exported"
    named = assay("topic", "cat", f"{Run.load(directory).namespace}fp.bus.feature_sets.v1", "--json", *at)
    assert json.loads(named.out)["record"] == "feature_set", named.text
    told = assay("export", "decisions", *at, "--parquet", folder, "--json")
    assert (told.code, json.loads(told.out)["decisions"]) == (0, len(events)), told.text
    told = assay("export", "decisions", *at, "--parquet", folder)
    assert told.out.startswith(f"added 0 decisions and 0 labels to {folder}\nthe journal is exported from offset "), told.text
    frame = pl.read_parquet(folder / "decisions" / "*.parquet").sort("event_id")
    assert set(frame.select("source_id", "kind", "attributes").iter_rows()) == {(None, "purchase", '{"by": "web"}')}
    named_values = pl.struct(pl.col("^feature_.*$").name.map(lambda name: name.removeprefix("feature_"))).alias("features")
    told_elsewhere = frame.select("event_id", "outcome", "amount_minor", "currency", "entity_customer", named_values).to_dicts()
    assert told_elsewhere == [
        {**{name: line[name] for name in ("event_id", "outcome", "amount_minor", "currency", "features")},
         "entity_customer": line["entities"]["customer"]} for line in lines
    ]  # fmt: skip


@pytest.mark.long
def test_a_live_run_is_proven_when_it_is_stopped_and_again_by_hand(up: Up) -> None:
    up.start()
    assert [up.post(f"pay-{number}") for number in range(7)] == ["ADMIT"] * 7
    assert up.post("pay-3") == "DUPLICATE"
    assert up.post("negative", -1) == "QUARANTINE"
    decided = up.decided("pay-6")
    assert (decided["event_id"], decided["outcome"], decided["policy"]["policy_id"]) == ("pay-6", "ALLOW", "handbook_rules"), decided
    assert up.ask("/v1/decisions/negative")[1]["error"] == "EVENT_QUARANTINED"
    assert up.end() == 0, up.text()
    first = up.summary()
    assert (first.eligible, first.decisions, first.audits) == (7, 7, 7)
    assert [proven for _, proven, _ in first.verdicts] == [True] * 5
    assert first.run is not None
    assert first.run.quarantined == {"AMOUNT_OUT_OF_RANGE": 1}
    assert first.run.latency_ms
    read_elsewhere(up.directory, [f"pay-{number}" for number in range(7)])
    at = ("--run", up.directory)
    for command in (("audit", "verify", *at), ("replay", "--verify", *at), ("report", *at)):
        ended = assay(*command)
        assert ended.code == 0, ended.text
    assert "7 eligible, all decided, all audited" in ended.out
    nowhere = assay("replay", "--verify", *at, "--from", "FP_BUS_TRAFFIC_FRAUD_V1:0:999")
    assert (nowhere.code, "no decision of the run has a source event there" in nowhere.text) == (2, True), nowhere.text

    up.start()
    assert said_ready(up.directory) == [show(Run.load(up.directory).store, Run.load(up.directory).config.scenario_run_id).message_id]
    assert up.decided("pay-6") == decided, "the new worker does not hold it; the audit does"
    while_it_runs = up.summary()
    assert (while_it_runs.eligible, while_it_runs.complete) == (None, None), "how many come in is not known yet"
    assert up.end() == 0, up.text()
    again = up.summary()
    assert [proven for _, proven, _ in again.verdicts] == [True] * 5
    assert again.run is not None
    assert (again.run.latency_ms, again.run.latency_utc) == (first.run.latency_ms, first.run.started_utc)
    assert re.search(r"in the session of \d{4}-\d\d-\d\d ", up.text())


@pytest.mark.long
def test_a_store_that_was_forged_and_a_payment_past_the_gate_are_refuted(up: Up) -> None:
    up.start()
    assert [up.post(f"pay-{number}") for number in range(3)] == ["ADMIT"] * 3
    run = Run.load(up.directory)
    forged = payment("past the gate", time.time_ns() // 1_000, pins=run.config.pins)
    KafkaPublisher(run.bootstrap, run.namespace).publish(TRAFFIC, [OutboundRecord(b"k", forged, 0)])
    assert up.end() == 1, up.text()
    assert up.summary().complete is True, "the lane decides what lies on the topic"
    found = {what: (proven, figures) for what, proven, figures in up.summary().verdicts}
    figures = "4 payments · 3 receipts · 1 on the topic without one, 1 unknown to the gate, 0 whose receipt is gone"
    assert found.pop(CAME_IN) == (False, figures)
    assert {proven for proven, _ in found.values()} == {True}
    assert "event past the gate: FP_BUS_TRAFFIC_FRAUD_V1[0] " in (up.directory / "report.html").read_text()

    def change(records: list[dict[str, Any]]) -> None:
        records[0]["decision"]["reasons"] = ["PLANTED"]

    forge(run.store, change)
    reported = assay("report", "--run", up.directory)
    assert (reported.code, "is not the one of 4 records that was verified" in reported.text) == (1, True), reported.text
    verified = assay("audit", "verify", "--run", up.directory)
    assert verified.code == 1, verified.text
    assert "['PLANTED'] in the audit" in verified.out
    assert "audit record 0 on the bus is not in the chain as it is there" in verified.out
    assert "against 4 audit records on the bus; 4 decisions recomputed from the journal" in verified.out


@pytest.mark.long
def test_a_second_up_is_refused_while_the_first_lives_and_takes_over_when_it_was_killed(up: Up) -> None:
    pid = up.start()
    assert up.post("pay-1") == "ADMIT"
    refused = assay("up", "--run", up.directory, ASSAY_BUS=up.kafka, ASSAY_SQL=up.dsn)
    assert refused.code == 75
    assert refused.err.startswith(f"assay up: DIRECTORY_BUSY: `assay up`, process {pid} runs in this directory (at {up.directory})")
    assert up.post("pay-2") == "ADMIT", "the first goes on"
    up.end(signal.SIGKILL)
    up.start()
    assert up.post("pay-3") == "ADMIT"
    assert up.end(signal.SIGTERM) == 0, up.text()
    assert up.summary().eligible == 3
    assert up.summary().complete is True


@pytest.mark.long
def test_a_run_to_which_nothing_was_posted_proves_nothing_and_ends_well(up: Up) -> None:
    up.start()
    assert up.end() == 0, up.text()
    evidence = RunEvidence.read(Run.load(up.directory).store)
    assert evidence is not None
    assert evidence.admitted_triggers == 0
    assert [proven for _, proven, _ in up.summary().verdicts] == [None] * 5
    assert layout_faults(up.directory) == [], "the table of docs/commands.md is what a run leaves"
