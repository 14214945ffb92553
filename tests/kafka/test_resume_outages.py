"""`assay demo` whose servers go away for a while, or whose own processes are killed: it goes on by itself, to the same decisions."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from demo_process import ROWS, Demo, World, seal

from assay.app.settings import Settings
from assay.app.substrate import Server
from assay.app.substrate.servers import kafka_at, postgres_at
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(600)]

#: nine weeks and the label delay in about sixteen seconds
SPEEDUP = "400000"
AWAY_S = 20.0


class Servers(NamedTuple):
    """A Kafka and a PostgreSQL that a test may stop."""

    kafka: Server
    postgres: Server


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Servers]:
    """Servers of this module alone; those of the settings belong to somebody."""
    room = tmp_path_factory.mktemp("servers")
    ours = settings.model_copy(update={"bus": "", "sql": ""})
    made = Servers(kafka_at(room / "kafka", ours), postgres_at(room / "postgres", ours))
    yield made
    for server in made:
        server.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A generated file and its undisturbed digest."""
    return seal(tmp_path_factory.mktemp("world"), seed=41)


def kafka_killed(servers: Servers, demo: Demo) -> None:
    """SIGKILL, and back on the same port and data."""
    servers.kafka.kill()
    _away()
    servers.kafka.start()


def kafka_frozen(servers: Servers, demo: Demo) -> None:
    """Its port stays open and nothing answers."""
    servers.kafka.pause()
    _away()
    servers.kafka.resume()


def postgres_killed(servers: Servers, demo: Demo) -> None:
    """The gate's index is gone for a while."""
    servers.postgres.kill()
    _away()
    servers.postgres.start()


def both_killed(servers: Servers, demo: Demo) -> None:
    """As when the machine they run on is gone."""
    servers.kafka.kill()
    servers.postgres.kill()
    _away()
    servers.postgres.start()
    servers.kafka.start()


def own_processes_killed(servers: Servers, demo: Demo) -> None:
    """Worker, gate, streamer and delivery of labels, one after the other; each is started again and goes on."""
    for command in ("worker", "gate", "stream", "labels"):
        before = demo.audited()
        process = until(lambda wanted=command: _process(wanted, demo), 30)  # type: ignore[misc]
        assert process is not None
        process.send_signal(signal.SIGKILL)
        until(lambda at=before: demo.audited() > at or demo.ended(), 90)  # type: ignore[misc]


def _away() -> None:
    time.sleep(AWAY_S)  # the length of the outage is what is tested


def _process(command: str, demo: Demo) -> psutil.Process | None:
    """The process of this run that runs a command of ours."""
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "assay" in line and command in line and str(demo.directory) in line:
            return process
    return None


@pytest.mark.long
@pytest.mark.parametrize("outage", [both_killed, own_processes_killed, kafka_killed, kafka_frozen, postgres_killed])
def test_a_run_survives_and_decides_the_same(
    outage: Callable[[Servers, Demo], None], servers: Servers, world: World, tmp_path: Path
) -> None:
    demo = Demo(tmp_path, world, servers.kafka.address, servers.postgres.address, SPEEDUP)
    process = demo.start()
    try:
        until(lambda: demo.audited() > 0 or demo.ended(), 90)
        assert not demo.ended(), demo.text()
        outage(servers, demo)
        assert process.wait(240) == 0, demo.text()
    finally:
        demo.stop()
    demo.assert_as_undisturbed(ROWS)
