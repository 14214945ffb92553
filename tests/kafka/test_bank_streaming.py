"""A bank's own outputs, from its seal to the gate: READY, streamed in lanes, labels delivered, every row admitted once."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import s3_server
from assay_command import assay
from bank_runs import begun, make_bank, point_to, ready_run, rows_of_bank
from gate_process import GateProcess
from streamer_policy import documented

from assay.app.governance import events
from assay.app.report.receipted import admitted_by_class
from assay.app.settings import Settings
from assay.app.stores.objects import DirectoryStore
from assay.app.stores.places import store_of
from assay.app.stores.s3 import client_of
from assay.app.substrate import Server
from assay.contracts.traffic_modes import BASELINE, FRAUD
from assay.testing import until

LANES = 2


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    """The little world, sealed, both of its traffics sorted."""
    store = DirectoryStore(tmp_path_factory.mktemp("bank"))
    make_bank(store, (FRAUD, BASELINE))
    return store


@pytest.mark.long
def test_two_lanes_of_which_one_is_killed_have_every_row_and_label_admitted_once(
    tmp_path: Path, bank: DirectoryStore, kafka: Server, dsn: str, namespace: str
) -> None:
    run = ready_run(tmp_path, bank, kafka, dsn, namespace, FRAUD)
    gate = GateProcess(run)
    point_to(gate, run)
    lanes = [begun("stream", "--run", tmp_path, "--lanes", LANES, "--lane", lane, "--batch", 300) for lane in range(LANES)]
    until(lambda: any("0-of-" in key for key in run.store.keys("wsp/checkpoints")), 90)
    lanes[0].send_signal(signal.SIGKILL)
    lanes[0].wait()
    refused = assay("stream", "--run", tmp_path, "--lanes", str(LANES + 1))
    told = "STREAM_LANE_INVALID: --lanes 3, and this run was begun with --lanes 2"
    assert (refused.code, told in refused.err) == (70, True), refused.text
    lanes[0] = begun("stream", "--run", tmp_path, "--lanes", LANES, "--lane", 0)
    delivery = begun("labels", "deliver", "--run", tmp_path)
    assert [process.wait(120) for process in (*lanes, delivery)] == [0] * (LANES + 1)
    assert gate.stop() == 0
    admitted = admitted_by_class(run.store, tmp_path)
    labels = admitted.pop("label")
    assert dict(admitted) == rows_of_bank(bank, FRAUD)
    assert labels > 20
    (ledger,) = run.store.keys("wsp/ready_runs")
    rows = [json.loads(line) for line in run.store.read(ledger).splitlines()]
    streamed = sorted(row["lane"] for row in rows if row["state"] == "STREAMED")
    assert (streamed, [row["reason"] for row in rows if row["state"] == "FAILED"]) == ([0, 1], ["STREAM_LANE_INVALID"])
    assert [event["event_family"] for event in events(run.store)] == ["RUN_READY_SEEN", "RUN_STARTED", "RUN_ENDED"]
    assert not list(run.store.keys("ig/quarantine"))


@pytest.mark.long
def test_the_traffic_without_fraud_has_no_labels_and_checkpoints_may_lie_in_postgres(
    tmp_path: Path, bank: DirectoryStore, kafka: Server, dsn: str, namespace: str
) -> None:
    run = ready_run(tmp_path, bank, kafka, dsn, namespace, BASELINE)
    gate = GateProcess(run)
    point_to(gate, run)
    streamed = assay("stream", "--run", tmp_path, ASSAY_CHECKPOINTS="postgres")
    assert streamed.code == 0, streamed.text
    again = assay("stream", "--run", tmp_path, ASSAY_CHECKPOINTS="postgres")
    assert (again.code, "was streamed before; nothing is sent" in again.text) == (0, True)
    delivered = assay("labels", "deliver", "--run", tmp_path, ASSAY_CHECKPOINTS="postgres")
    assert (delivered.code, "no labels" in delivered.text) == (0, True), delivered.text
    assert gate.stop() == 0
    assert dict(admitted_by_class(run.store, tmp_path)) == rows_of_bank(bank, BASELINE)
    assert list(run.store.keys("wsp/checkpoints")) == []


@pytest.mark.long
def test_a_streamer_whose_s3_key_may_do_what_the_documentation_shows_sends_a_bank_in_a_bucket(
    tmp_path: Path, bank: DirectoryStore, kafka: Server, dsn: str, namespace: str, s3: str, s3_variables: dict[str, str], settings: Settings
) -> None:
    in_bucket = store_of(f"s3://{s3}/banks/one")
    for key in bank.keys(""):
        in_bucket.create(key, bank.read(key))
    run = ready_run(tmp_path, bank, kafka, dsn, namespace, FRAUD, bucket=s3)
    user: dict[str, Any] = s3_server.made_user(s3_server.built(settings.cache), s3_variables)
    s3_server.allow(client_of(), s3, user, documented("banks/one", f"runs/{run.platform_run_id}", s3))
    gate = GateProcess(run)
    point_to(gate, run)
    streamed = assay("stream", "--run", tmp_path, **user)
    assert streamed.code == 0, streamed.text
    delivered = assay("labels", "deliver", "--run", tmp_path, **user)
    assert (delivered.code, "ACCESS_DENIED" in delivered.err) == (73, True), "labels are truth"
    assert gate.stop() == 0
    assert dict(admitted_by_class(run.store, tmp_path)) == rows_of_bank(bank, FRAUD)
