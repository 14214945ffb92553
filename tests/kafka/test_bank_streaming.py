"""A bank's own outputs, from its seal to the gate: READY, streamed in lanes, labels delivered, every row admitted once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from assay_command import assay
from gate_process import KEY, GateProcess
from world_digests import identity, made

from assay.app.bus.topics import create_topics
from assay.app.database.prepare import prepare
from assay.app.demo.bank_run import bank_config, bank_request, outputs_of, sort_views
from assay.app.governance import events
from assay.app.pack.sealed_pack import open_pack
from assay.app.policy.documents import load_policy
from assay.app.report.receipted import admitted_by_class
from assay.app.run.directory import Run
from assay.app.screen import Screen
from assay.app.stores.objects import DirectoryStore
from assay.app.substrate import Server
from assay.app.world.generation import SEGMENTS
from assay.app.world.pack import seal, write_receipt
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.traffic_modes import BASELINE, FRAUD, TrafficMode
from assay.testing import until

NOW_US = 1_790_000_000_000_000
LANES = 2


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    """The little world, sealed, both of its traffics sorted."""
    store = DirectoryStore(tmp_path_factory.mktemp("bank"))
    write_receipt(store, identity(), "tiny", NOW_US)
    made(store)
    seal(store, SEGMENTS, identity(), NOW_US)
    for mode in (FRAUD, BASELINE):
        sort_views(store, mode, Screen(stderr=True))
    return store


def _ready(folder: Path, bank: DirectoryStore, kafka: Server, dsn: str, namespace: str, mode: TrafficMode) -> Run:
    """A run that the Scenario Runner brought to READY."""
    config = bank_config("platform_20260101T000000Z", open_pack(bank), load_policy("world"), mode)
    run = Run(directory=folder, config=config, namespace=namespace, bootstrap=kafka.address, dsn=dsn, api_key=KEY)
    run.save()
    create_topics(kafka.address, namespace, 3, traffic=config.traffic)
    prepare(dsn)
    request = folder / "request.json"
    request.write_text(json.dumps(bank_request(config, mode, str(bank.root))))
    submitted = assay("sr", "submit", "--run", folder, "--request", request)
    assert submitted.code == 0, submitted.text
    return run


def _rows(bank: DirectoryStore, mode: TrafficMode) -> dict[str, int]:
    pack = open_pack(bank)
    return {ENGINE_EVENTS[name].event_class: sum(part.rows for part in pack.parts(pack.output(name))) for name in outputs_of(mode)}


def _at(gate: GateProcess, run: Run) -> None:
    run.model_copy(update={"gate_url": gate.url}).save()


def _begun(*arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "assay", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_two_lanes_of_which_one_is_killed_have_every_row_and_label_admitted_once(
    tmp_path: Path, bank: DirectoryStore, kafka: Server, dsn: str, namespace: str
) -> None:
    run = _ready(tmp_path, bank, kafka, dsn, namespace, FRAUD)
    gate = GateProcess(run)
    _at(gate, run)
    lanes = [_begun("stream", "--run", tmp_path, "--lanes", LANES, "--lane", lane, "--batch", 300) for lane in range(LANES)]
    until(lambda: any("0-of-" in key for key in run.store.keys("wsp/checkpoints")), 90)
    lanes[0].send_signal(signal.SIGKILL)
    lanes[0].wait()
    lanes[0] = _begun("stream", "--run", tmp_path, "--lanes", LANES, "--lane", 0)
    delivery = _begun("labels", "deliver", "--run", tmp_path)
    assert [process.wait(120) for process in (*lanes, delivery)] == [0] * (LANES + 1)
    assert gate.stop() == 0
    admitted = admitted_by_class(run.store, tmp_path)
    labels = admitted.pop("label")
    assert dict(admitted) == _rows(bank, FRAUD)
    assert labels > 20
    (ledger,) = run.store.keys("wsp/ready_runs")
    rows = [json.loads(line) for line in run.store.read(ledger).splitlines()]
    assert sorted((row["state"], row["lane"]) for row in rows) == [("STREAMED", lane) for lane in range(LANES)]
    assert [event["event_family"] for event in events(run.store)] == ["RUN_READY_SEEN", "RUN_STARTED", "RUN_ENDED"]
    assert not list(run.store.keys("ig/quarantine"))


@pytest.mark.long
def test_the_traffic_without_fraud_has_no_labels_and_checkpoints_may_lie_in_postgres(
    tmp_path: Path, bank: DirectoryStore, kafka: Server, dsn: str, namespace: str
) -> None:
    run = _ready(tmp_path, bank, kafka, dsn, namespace, BASELINE)
    gate = GateProcess(run)
    _at(gate, run)
    streamed = assay("stream", "--run", tmp_path, ASSAY_CHECKPOINTS="postgres")
    assert streamed.code == 0, streamed.text
    again = assay("stream", "--run", tmp_path, ASSAY_CHECKPOINTS="postgres")
    assert (again.code, "was streamed before; nothing is sent" in again.text) == (0, True)
    delivered = assay("labels", "deliver", "--run", tmp_path, ASSAY_CHECKPOINTS="postgres")
    assert (delivered.code, "no labels" in delivered.text) == (0, True), delivered.text
    assert gate.stop() == 0
    assert dict(admitted_by_class(run.store, tmp_path)) == _rows(bank, BASELINE)
    assert list(run.store.keys("wsp/checkpoints")) == []
