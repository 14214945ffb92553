"""Faults of everything around a gate of several processes, under load: no event is lost, none is admitted twice, each has one end."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from chaos.posting import schema_in
from faulty_proxy import FaultyProxy, Trouble
from gate_events import SCOPE
from gate_lines import pids
from gate_process import KEY, GateProcess
from mixed_load import Load
from said_ready import say_ready
from troubled_store import port_of

from assay.app.bus.topics import create_topics
from assay.app.run.directory import Run, RunConfig
from assay.app.settings import Settings
from assay.app.substrate import Server
from assay.app.substrate.kafka import start_kafka
from assay.app.substrate.postgres import start_postgres
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(600)]
#: how long the bus is away
AWAY_S: Final = 20.0
#: open files that each process of the gate may have, and connections that are tried beside the callers
FILES, IDLE, SLOW = 400, 500, 200


class Scene(NamedTuple):
    """A gate, what it stands on, and its load."""

    gate: GateProcess
    kafka: Server
    postgres: Server
    store: FaultyProxy
    load: Load


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Server]:
    server = start_kafka(tmp_path_factory.mktemp("kafka"), settings)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Server]:
    server = start_postgres(tmp_path_factory.mktemp("postgres"), settings)
    yield server
    server.stop()


@pytest.fixture
def scene(
    tmp_path: Path, own_kafka: Server, own_postgres: Server, s3: str, s3_variables: dict[str, str], namespace: str
) -> Iterator[Scene]:
    run = Run(
        directory=tmp_path / "run",
        config=RunConfig.model_validate({**SCOPE, "features": {}, "policy": {}}),
        namespace=namespace,
        bootstrap=own_kafka.address,
        dsn=schema_in(own_postgres.address),
        api_key=KEY,
        store_root=f"s3://{s3}/runs",
    )
    run.save()
    create_topics(run.bootstrap, namespace, 3)
    say_ready(run)
    with FaultyProxy(port_of(s3_variables["AWS_ENDPOINT_URL"])) as proxy:
        variables = {"AWS_ENDPOINT_URL": proxy.address, "ASSAY_SEAL_AFTER_S": "0.2", "ASSAY_GATE_BODY_TIMEOUT_S": "3"}
        gate = GateProcess(run, options=("--processes", "3"), variables=variables, files_max=(FILES, FILES))
        yield Scene(gate, own_kafka, own_postgres, proxy, Load(gate))
        gate.kill()


def one_process_killed(scene: Scene) -> None:
    """One of three, in the middle of what it does."""
    before = pids(scene.gate)[1]
    os.kill(before, signal.SIGKILL)
    until(lambda: pids(scene.gate).get(1, before) != before, 60)


def bus_down(scene: Scene) -> None:
    """The broker is killed, and comes back later than any producer waits."""
    scene.kafka.kill()
    time.sleep(AWAY_S)
    scene.kafka.restart()


def postgres_restarted(scene: Scene) -> None:
    """The database is killed, and starts again when the gate has noticed."""
    scene.postgres.kill()
    until(lambda: scene.gate.get("/healthz")[1]["state"] == "RED", 60)
    scene.postgres.restart()


def store_in(scene: Scene, trouble: Trouble) -> None:
    """No receipt comes into the store, and the gate admits all the while."""
    scene.store.become(trouble)
    until(lambda: scene.store.met > 2, 120)
    scene.load.more(10)
    scene.load.goes_on(60)
    scene.store.become(Trouble.NONE)


def idle_and_slow(scene: Scene) -> None:
    """More connections than the gate has files: idle ones, and callers with the key whose bodies never end."""
    host, port = scene.gate.url.removeprefix("http://").split(":")
    head = f"POST /v1/ingest/batch HTTP/1.1\r\nHost: gate\r\nX-IG-Api-Key: {KEY}\r\nContent-Length: 1000\r\n\r\n[".encode()
    with ExitStack() as stack:
        for number in range(IDLE + SLOW):
            one = stack.enter_context(socket.create_connection((host, int(port)), timeout=60))
            if number < SLOW:
                one.sendall(head)
        scene.load.more(10)
        scene.load.goes_on(60)


FAULTS: dict[str, Callable[[Scene], object]] = {
    "one of three processes is killed": one_process_killed,
    "the bus is down for 20 s": bus_down,
    "PostgreSQL is started again": postgres_restarted,
    "S3 answers 503": partial(store_in, trouble=Trouble.UNAVAILABLE),
    "S3 answers nothing": partial(store_in, trouble=Trouble.SILENT),
    "S3 answers 412": partial(store_in, trouble=Trouble.REFUTED),
    "S3 writes, and its answers are lost": partial(store_in, trouble=Trouble.UNANSWERED),
    "idle and slow connections": idle_and_slow,
}


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_after_a_fault_every_event_has_one_end_and_one_receipt(scene: Scene, fault: Callable[[Scene], object]) -> None:
    scene.load.begin()
    scene.load.goes_on(1)
    assert scene.load.done < 60, "calls are on their way"
    fault(scene)
    scene.load.ended()
