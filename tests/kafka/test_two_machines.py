"""Gate, worker, streamer and delivery of labels share Kafka, PostgreSQL and a bucket, and no disk.

Each folder holds copies of `run.json` and `secrets.json`.

The gate is killed, and the bucket's server is in trouble. At the end every payment is decided, audited and has its receipt, and a machine
that did nothing so far proves it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from assay_command import assay, environment
from faulty_proxy import FaultyProxy, Trouble
from gate_events import LABEL, event
from gated_worlds import config_over, gated, simulated
from reasons_met import seen
from troubled_store import port_of
from worker_web import get_json, lanes_at

from assay.app.bus.topics import create_topics
from assay.app.demo.watch import audited
from assay.app.gate.receipts import RECEIPTS
from assay.app.oracle.generator import generate
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.replay.verify import recompute
from assay.app.report.evidence import AuditEvidence, ReplayEvidence, RunEvidence
from assay.app.run.directory import Run
from assay.app.stores.places import store_of
from assay.app.substrate import Server
from assay.app.substrate.ports import free_port
from assay.codecs.decision_digest import DecisionDigest
from assay.contracts.api_key import KEY_HEADER
from assay.contracts.ids import scenario_run_id
from assay.testing import until

NOW_US = 1_893_456_000_000_000
ROWS = 1_500
#: nine weeks in some twenty seconds
SPEEDUP = "250000"
DEADLINE_S = 240.0
pytestmark = pytest.mark.timeout(1_200)
STREAM = ("streamer", "stream", "--batch", "50", "--speedup", SPEEDUP)
DELIVER = ("labels", "labels", "deliver", "--speedup", SPEEDUP)
#: a label of another run: the gate refuses it, and no payment goes undecided for it
STRANGE = event("strange", "label_assertion", LABEL)


class Machines:
    """Folders and processes. `world` is that of the run, in a folder. `proxy` stands between the bucket's server and the processes."""

    def __init__(self, room: Path, run: Run, proxy: FaultyProxy, world: SealedWorld) -> None:
        self.run, self.proxy, self.world = run, proxy, world
        self._room = room
        self._started: list[subprocess.Popen[bytes]] = []
        for name in ("gate", "worker", "streamer", "labels", "auditor"):
            run.model_copy(update={"directory": self.folder(name)}).save()

    def folder(self, name: str) -> Path:
        """The directory of the run on one machine."""
        return self._room / name / "run"

    def start(self, machine: str, command: str, *options: str) -> subprocess.Popen[bytes]:
        """Start one of our commands there, by the proxy."""
        argv = [sys.executable, "-m", "assay", command, *options, "--run", str(self.folder(machine))]
        variables = environment({"AWS_ENDPOINT_URL": self.proxy.address, "ASSAY_SEAL_AFTER_S": "0.5"})
        with self.log(machine).open("ab") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log, env=variables, cwd=self._room / machine)
        self._started.append(process)
        return process

    def sent(self, process: subprocess.Popen[bytes], again: tuple[str, ...]) -> None:
        """Wait until a sender has sent everything. It keeps its checkpoint in the bucket, so it may end before, and is started again."""
        while process.wait(DEADLINE_S):
            assert "STORE_SILENT" in self.log(again[0]).read_text(), self.told()
            process = self.start(*again)

    def start_gate(self) -> subprocess.Popen[bytes]:
        """The gate, answering."""
        process = self.start("gate", "gate", "serve", "--port", str(port_of(self.run.gate_url)))
        until(lambda: self.post([]) is not None or process.poll() is not None, DEADLINE_S)
        assert process.poll() is None, self.told()
        return process

    def post(self, events: list[Any]) -> Any:
        """The gate's answer to a batch; None while it does not answer."""
        body = json.dumps(events).encode()
        asked = urllib.request.Request(f"{self.run.gate_url}/v1/ingest/batch", body, {KEY_HEADER: self.run.api_key})
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return json.loads(error.read())
        except OSError:
            return None

    def position(self) -> int:
        """Rows that the gate has acknowledged."""
        keys = list(self.run.store.keys("wsp/checkpoints"))
        return int(json.loads(self.run.store.read(keys[0]))["position"]) if keys else 0

    def log(self, machine: str) -> Path:
        """What its processes printed."""
        return self._room / machine / "log"

    def told(self) -> str:
        """The ends of all logs."""
        logs = {path.parent.name: path.read_text(errors="replace")[-1_500:] for path in self._room.glob("*/log")}
        return seen("\n".join(f"== {name}\n{text}" for name, text in logs.items()))

    def end(self) -> None:
        """Kill what still runs."""
        for process in self._started:
            process.kill()
            process.wait(30)


@pytest.fixture
def machines(s3: str, s3_variables: dict[str, str], kafka: Server, dsn: str, namespace: str, tmp_path: Path) -> Iterator[Machines]:
    """A run over a generated world that lies in the bucket."""
    generate("handbook", ROWS, 5, tmp_path / "in.parquet")
    root = f"s3://{s3}/runs"
    world = import_world(tmp_path / "in.parquet", load_mapping("handbook"), store_of(tmp_path / "first"), NOW_US)
    config = config_over(world, "handbook")
    named = scenario_run_id(f"{config.platform_run_id}|{config.manifest_fingerprint}")  # as the Scenario Runner names it
    config = config.model_copy(update={"scenario_run_id": named})
    run = Run(
        directory=tmp_path,
        config=config,
        namespace=namespace,
        bootstrap=kafka.address,
        dsn=dsn,
        gate_url=f"http://127.0.0.1:{free_port()}",
        worker_url=f"http://127.0.0.1:{free_port()}",
        api_key="k",
        partitions=3,
        store_root=root,
    )
    import_world(tmp_path / "in.parquet", load_mapping("handbook"), run.store, NOW_US)
    create_topics(kafka.address, namespace, 3)
    with FaultyProxy(port_of(s3_variables["AWS_ENDPOINT_URL"])) as proxy:
        made = Machines(tmp_path / "machines", run, proxy, world)
        yield made
        made.end()


def the_gate_is_killed(machines: Machines, gate: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    gate.kill()
    gate.wait(30)
    return machines.start_gate()


def the_bucket_is(trouble: Trouble, machines: Machines, gate: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """The gate admits meanwhile. The streamer, which keeps its checkpoint there, may end, and is started again."""
    machines.proxy.become(trouble)
    until(lambda: machines.proxy.met > 6, DEADLINE_S)
    answer = machines.post([STRANGE])
    assert answer["results"][0]["admission"] == "QUARANTINE", answer
    machines.proxy.become(Trouble.NONE)
    return gate


Disturb = Callable[[Machines, subprocess.Popen[bytes]], subprocess.Popen[bytes]]


@pytest.mark.long
@pytest.mark.parametrize(
    ("disturb", "late"),
    [
        pytest.param(the_gate_is_killed, True, id="the gate is killed, labels are late"),
        pytest.param(partial(the_bucket_is, Trouble.UNAVAILABLE), False, id="the bucket answers 503", marks=pytest.mark.long),
        pytest.param(partial(the_bucket_is, Trouble.SILENT), False, id="the bucket is silent", marks=pytest.mark.long),
        pytest.param(partial(the_bucket_is, Trouble.UNANSWERED), False, id="answers of the bucket are lost", marks=pytest.mark.long),
    ],
)
def test_machines_that_share_no_disk_run_a_world_to_its_proven_end(machines: Machines, disturb: Disturb, late: bool) -> None:
    gate = machines.start_gate()
    worker = machines.start("worker", "worker", "--web-port", str(port_of(machines.run.worker_url)))
    until(lambda: lanes_at(port_of(machines.run.worker_url)), DEADLINE_S)
    for command in (("db", "migrate"), ("sr", "submit")):
        ended = assay(*command, "--run", machines.folder("streamer"))
        assert ended.code == 0, ended.text
    streamer = machines.start(*STREAM)
    delivery = None if late else machines.start(*DELIVER)
    until(lambda: machines.position() > ROWS // 4, DEADLINE_S)
    gate = disturb(machines, gate)
    machines.sent(streamer, STREAM)
    machines.post([STRANGE])
    if late:
        _wait_for_labels(machines)
    machines.sent(delivery or machines.start(*DELIVER), DELIVER)
    until(lambda: audited(machines.run) == ROWS, DEADLINE_S)
    early = assay("prove", "--run", machines.folder("auditor"))
    assert (early.code, "RUN_INCOMPLETE" in early.err) == (70, True), early.text
    for process in (gate, worker):
        assert process.poll() is None, machines.told()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, machines.told()
    _prove_elsewhere(machines)


def _wait_for_labels(machines: Machines) -> None:
    """All payments are there: the lane has decided none, and says for what it waits."""
    assert "labels of this run come from `assay labels deliver`" in machines.log("streamer").read_text()
    port = port_of(machines.run.worker_url)
    until(lambda: get_json(port, "/healthz")["waits_for"]["rtdl/0"] == ["FP_BUS_LABELS_EVENTS_V1"], DEADLINE_S)
    assert audited(machines.run) == 0


def _undisturbed(machines: Machines) -> str:
    """The digest of the decisions where labels and payments came side by side, and nothing went wrong."""
    given = gated(machines.world, machines.run.config)
    digest = DecisionDigest()
    for values in recompute(given.config, simulated(given).log.values("FP_JOURNAL_RTDL_V1"), given.partitions):
        digest.update(values)
    return digest.hexdigest()


def _prove_elsewhere(machines: Machines) -> None:
    """From the folder of a machine that ran nothing."""
    folder, store = machines.folder("auditor"), machines.run.store
    ended = assay("prove", "--run", folder, timeout_s=900.0)
    assert ended.code == 0, ended.text
    assert "parity" in ended.out
    evidence, audit, replay = RunEvidence.read(store), AuditEvidence.read(store), ReplayEvidence.read(store)
    assert evidence is not None
    assert audit is not None
    assert replay is not None
    assert evidence.entry is not None
    assert (evidence.entry.admitted, evidence.entry.receipts, evidence.entry.receipts_gone, evidence.entry.strangers) == (ROWS, ROWS, 0, 0)
    assert (audit.verified, audit.records, replay.verified, replay.compared) == (True, ROWS, True, ROWS)
    assert replay.decision_digest == _undisturbed(machines)
    assert {part.role: part.claim for part in evidence.parts}["objects"] == "parity"
    receipts = defaultdict(set)
    for key in store.keys(RECEIPTS):
        for line in map(json.loads, store.read(key).splitlines()):
            if line["decision"] == "ADMIT" and line["event_class"] == "traffic":
                receipts[line["event_id"]].add(line["receipt_id"])
    assert (len(receipts), {len(ids) for ids in receipts.values()}) == (ROWS, {1})
    for command, told in ((("quarantine", "show", "strange"), "RUN_SCOPE_MISMATCH"), (("receipt", "show", next(iter(receipts))), "ADMIT")):
        shown = assay(*command, "--run", folder, timeout_s=600.0)
        assert (shown.code, told in shown.out) == (0, True), shown.text
    held = {
        path.relative_to(machines.folder(name).parent).as_posix()
        for name in ("gate", "streamer", "labels")
        for path in _files(machines, name)
    }
    assert held <= {
        "run/run.json",
        "run/secrets.json",
        "run/spool/receipts.ndjson",
        "run/spool/quarantine.ndjson",
        "run/spool/receipts.probe",
    }, held


def _files(machines: Machines, name: str) -> Iterator[Path]:
    return (path for path in machines.folder(name).rglob("*") if path.is_file())
