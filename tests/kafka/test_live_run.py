"""`assay up` as users run it: posted to, run twice at once, killed, stopped, and gone on with; its report has real verdicts."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from assay_command import assay, environment
from fenced_blocks import steps
from forged_chains import forge
from records import RTDL, TRAFFIC, payment
from run_layout import layout_faults
from source_tree import ROOT

from assay.app.bus.publisher import KafkaPublisher, OutboundRecord
from assay.app.bus.topic_reader import read_records
from assay.app.report.evidence import RunEvidence
from assay.app.report.summary import RunSummary, summarize
from assay.app.report.verdicts import CAME_IN
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.codecs.single_object import unpack
from assay.contracts.avro_schemas import RELEASED
from assay.tables.feature_plan import compile_plan
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(600)]


class Up:
    """`assay up` in one directory, on the session's Kafka and PostgreSQL."""

    def __init__(self, directory: Path, kafka: str, dsn: str) -> None:
        self.directory = directory
        self.kafka, self.dsn = kafka, dsn
        self.log = directory.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start, or go on; its pid once it takes payments."""
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "assay", "up", "--run", str(self.directory)]
            self.process = process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment({"ASSAY_BUS": self.kafka, "ASSAY_SQL": self.dsn})
            )
        until(lambda: "post a payment" in self.text() or process.poll() is not None, 90)
        assert process.poll() is None, self.text()
        return process.pid

    def post(self, event_id: str, amount_minor: int = 2_500) -> str:
        """Post a payment; what the gate decided."""
        run = Run.load(self.directory)
        entities = {name: f"{name}-1" for name in run.config.features["entities"]}
        body = {"event_id": event_id, "amount_minor": amount_minor, "currency": "EUR", "entities": entities, "attributes": {"by": "web"}}
        headers = {"X-IG-Api-Key": run.api_key, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{run.gate_url}/v1/payments", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return str(json.loads(answer.read())["admission"])
        except urllib.error.HTTPError as refused:
            return str(json.loads(refused.read())["admission"])

    def ask(self, path: str) -> tuple[int, Any]:
        """(status, answer) of a GET at the gate, with the key."""
        run = Run.load(self.directory)
        try:
            with urllib.request.urlopen(
                urllib.request.Request(run.gate_url + path, headers={"X-IG-Api-Key": run.api_key}), timeout=30
            ) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())

    def decided(self, event_id: str) -> dict[str, Any]:
        """The decision, once it is there."""
        until(lambda: self.ask(f"/v1/decisions/{event_id}")[0] == 200, 30)
        found: dict[str, Any] = self.ask(f"/v1/decisions/{event_id}")[1]
        return found

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(120)

    def text(self) -> str:
        """What it printed."""
        return self.log.read_text(errors="replace")

    def summary(self) -> RunSummary:
        """Its report."""
        return summarize(Run.load(self.directory))


@pytest.fixture
def up(tmp_path: Path, kafka: Server, dsn: str) -> Iterator[Up]:
    made = Up(tmp_path / "live", kafka.address, dsn)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end(signal.SIGKILL)


def own_client(directory: Path) -> list[dict[str, Any]]:
    """What the program of `docs/own-client.md` prints of a run, by event id. It has a copy of the schemas and nothing else of assay."""
    (program,) = (step.script for step in steps((ROOT / "docs" / "own-client.md").read_text(encoding="utf-8")))
    folder, run = directory.with_suffix(".reader"), Run.load(directory)
    folder.mkdir(exist_ok=True)
    shutil.copytree(RELEASED, folder / "schemas", dirs_exist_ok=True)
    subprocess.run(["bash", "-euc", program], cwd=folder, check=True)
    command = [sys.executable, "-I", "decisions.py", run.bootstrap, run.namespace, "schemas"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return sorted(map(json.loads, ended.stdout.splitlines()), key=lambda line: str(line["event_id"]))


def decided(directory: Path, event_id: str) -> dict[str, Any]:
    """The feature values of a decision by their names, as assay reads them."""
    run = Run.load(directory)
    plan = compile_plan(run.config.features)
    unpacked = (unpack(record.value or b"") for record in read_records(run.bootstrap, RTDL, run.namespace))
    decisions = [record for name, record in unpacked if name == "decision_response"]
    (values,) = (one["features"] for one in decisions if one["source_event"]["event_id"] == event_id)
    names = (*plan.long_names, *plan.double_names)
    return dict(zip(names, (*values["longs"], *values["doubles"]), strict=True))


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
    assert up.decided("pay-6") == decided, "the new worker does not hold it; the audit does"
    while_it_runs = up.summary()
    assert (while_it_runs.eligible, while_it_runs.complete) == (None, None), "how many come in is not known yet"
    assert up.end() == 0, up.text()
    again = up.summary()
    assert [proven for _, proven, _ in again.verdicts] == [True] * 5
    assert again.run is not None
    assert (again.run.latency_ms, again.run.latency_utc) == (first.run.latency_ms, first.run.started_utc)
    assert re.search(r"in the session of \d{4}-\d\d-\d\d ", up.text())


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


def test_a_run_to_which_nothing_was_posted_proves_nothing_and_ends_well(up: Up) -> None:
    up.start()
    assert up.end() == 0, up.text()
    evidence = RunEvidence.read(Run.load(up.directory).store)
    assert evidence is not None
    assert evidence.admitted_triggers == 0
    assert [proven for _, proven, _ in up.summary().verdicts] == [None] * 5
    assert layout_faults(up.directory) == [], "the table of docs/commands.md is what a run leaves"
