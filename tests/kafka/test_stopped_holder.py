"""A runner that is stopped (SIGSTOP) in the middle of its work, and goes on (SIGCONT) when another has finished the run."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from assay_command import assay
from authority_laws import let_expire
from gated_worlds import config_over
from reasons_met import seen
from small_worlds import NOW_US, ROWS, mapping, write

from assay.app.authority.migrate import migrate
from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics
from assay.app.oracle.importer import import_world
from assay.app.run.directory import Run
from assay.app.runner.record import Record
from assay.app.stores.objects import DirectoryStore
from assay.app.substrate import Server
from assay.codecs.single_object import unpack
from assay.contracts.handles import CONTROL
from assay.contracts.ids import scenario_run_id
from assay.testing import until

DEADLINE_S = 120.0
TRIES = 8


class Stopped(NamedTuple):
    """A runner that sleeps between a document and the event that follows it."""

    run: Run
    process: subprocess.Popen[bytes]


def run_over(folder: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    """A run over the small world, whose topics nobody else has."""
    write(folder / "in.parquet", ROWS)
    world = import_world(folder / "in.parquet", mapping(), DirectoryStore(folder / "first"), NOW_US)
    config = config_over(world, "handbook")
    config = config.model_copy(update={"scenario_run_id": scenario_run_id(f"{config.platform_run_id}|{config.manifest_fingerprint}")})
    run = Run(directory=folder / "run", config=config, namespace=namespace, bootstrap=kafka.address, dsn=dsn, api_key="k", partitions=1)
    import_world(folder / "in.parquet", mapping(), run.store, NOW_US)
    run.save()
    create_topics(kafka.address, namespace, 1)
    return run


def record_of(run: Run) -> Record:
    return Record(run.store, run.config.scenario_run_id).read_on()


def stopped_behind(run: Run, document: str, before: str) -> subprocess.Popen[bytes] | None:
    """A runner that was stopped when a document was there and the event was not; None if it was too quick."""
    file = Path(run.place) / "sr" / document / f"{run.config.scenario_run_id}.json"
    command = [sys.executable, "-m", "assay", "sr", "submit", "--run", str(run.directory), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: file.exists() or process.poll() is not None, DEADLINE_S, every_s=0.0)
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if record_of(run).find(before) is None and file.exists():
            return process
        process.send_signal(signal.SIGCONT)
    process.communicate(timeout=DEADLINE_S)
    return None


@pytest.fixture(params=[
    ("run_facts_view", "READY_COMMITTED"),
    pytest.param(("run_plan", "PLAN_COMMITTED"), marks=pytest.mark.long),
    pytest.param(("ready_signal", "READY_PUBLISHED"), marks=pytest.mark.long),
], ids=lambda place: place[0])  # fmt: skip
def stopped(kafka: Server, dsn: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stopped]:
    """A run whose holder sleeps."""
    migrate(dsn)
    for number in range(TRIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        run = run_over(folder, kafka, dsn, f"t{secrets.token_hex(5)}.")
        process = stopped_behind(run, *request.param)
        if process is not None:
            yield Stopped(run, process)
            if process.poll() is None:
                process.kill()
                process.communicate()
            return
        let_expire(dsn)
    pytest.fail(f"the runner was {TRIES} times too quick to be stopped")


def objects(run: Run) -> dict[str, str]:
    return {key: hashlib.sha256(run.store.read(key)).hexdigest() for key in run.store.keys("")}


def ready_ids(run: Run) -> list[str]:
    """The ids of READY on the control topic, as often as it stands there."""
    records = read_records(run.bootstrap, CONTROL, run.namespace)
    found = [unpack(record.value or b"") for record in records]
    return [str(record["event_id"]) for name, record in found if name == "run_ready"]


def test_a_holder_that_was_stopped_writes_nothing_when_another_has_finished_its_run(stopped: Stopped, dsn: str) -> None:
    run, process = stopped
    let_expire(dsn)
    second = assay("sr", "submit", "--run", run.directory, "--json")
    assert second.code == 0, second.text
    answer = json.loads(second.out)
    assert answer["state"] == "READY"
    before, told = objects(run), ready_ids(run)
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=DEADLINE_S)
    assert objects(run) == before, "not one object is another"
    assert set(ready_ids(run)) == {answer["message_id"]}
    if process.returncode:
        assert "LEASE_LOST" in seen(err.decode())
    else:
        assert json.loads(out)["message_id"] == answer["message_id"]
    assert told == [answer["message_id"]]
    fences = [event["fence"] for event in record_of(run).events]
    assert fences == sorted(fences)
    assert fences[-1] == 2
