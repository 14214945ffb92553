"""A real stream through a real gate while Kafka, or the PostgreSQL of its checkpoints, is away: no event is lost, none admitted twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import psycopg
import pytest
from gate_process import resolve
from reasons_met import seen
from streaming_runs import NOW_US, Processes, ended, on_topic, streaming_run

from assay.app.database.prepare import prepare
from assay.app.oracle.generator import generate
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.report.gate_lines import receipts_of
from assay.app.run.directory import Run
from assay.app.settings import load_settings
from assay.app.stores.objects import DirectoryStore
from assay.app.substrate import Server
from assay.app.substrate.kafka import start_kafka
from assay.app.substrate.postgres import start_postgres
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.long, pytest.mark.timeout(600)]

ROWS = 6_000
AWAY_S = 20.0
#: longer than a gate and a streamer need to go on after Kafka came back
DEADLINE_S = 240.0


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A database that keeps checkpoints only."""
    server = start_postgres(tmp_path_factory.mktemp("checkpoints") / "postgres", load_settings(sql=""))
    prepare(server.address)
    yield server
    server.stop()


@pytest.fixture
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A broker that only this test stops and starts."""
    server = start_kafka(tmp_path_factory.mktemp("bus") / "kafka", load_settings(bus=""))
    yield server
    server.stop()


@pytest.fixture
def world(tmp_path: Path) -> SealedWorld:
    """A generated world, sealed in the run's store."""
    generate("handbook", ROWS, 5, tmp_path / "in.parquet")
    return import_world(tmp_path / "in.parquet", load_mapping("handbook"), DirectoryStore(tmp_path / "store"), NOW_US)


def admitted(run: Run) -> Counter[str]:
    """How many receipts of an admission each payment has."""
    found = [one for one in receipts_of(run) if one.event_class == "traffic"]
    assert {one.decision for one in found} <= {"ADMIT", "DUPLICATE"}
    return Counter(one.event_id for one in found if one.decision == "ADMIT")


def sent_once(run: Run) -> None:
    """Every payment is on the bus and was admitted once, under one id."""
    payments, final = on_topic(run, "FP_BUS_TRAFFIC_FRAUD_V1")
    receipts = admitted(run)
    assert len(payments) == ROWS and final == {0, 1, 2}
    assert receipts == dict.fromkeys(payments, 1)


@pytest.fixture
def with_sql(world: SealedWorld, tmp_path: Path, kafka: Server, dsn: str, namespace: str, own_postgres: Server) -> Iterator[Processes]:
    """Processes of a run whose streamer keeps its checkpoints in a database of its own."""
    run = streaming_run(world, tmp_path, kafka, dsn, namespace, streamer_dsn=own_postgres.address)
    yield from ended(Processes(run, ASSAY_CHECKPOINTS="postgres"))


def reached(dsn: str, position: int) -> None:
    """Wait until so many rows are acknowledged, as PostgreSQL says."""

    def at() -> int:
        with psycopg.connect(dsn) as connection:
            row = connection.execute("SELECT coalesce(max(position), 0) FROM wsp_checkpoint WHERE name <> 'wsp/lanes'").fetchone()
        return int(row[0]) if row else 0

    until(lambda: at() >= position, 90)


@pytest.mark.parametrize("seed", [25, 26])
def test_a_database_of_checkpoints_that_goes_away_is_waited_for_or_ends_the_stream_which_goes_on(
    with_sql: Processes, own_postgres: Server, seed: int
) -> None:
    random, gate = Random(seed), with_sql.gate()
    streamer = with_sql.streamer()
    reached(own_postgres.address, random.randrange(150, 1_500))
    own_postgres.kill()
    own_postgres.start()  # the same process goes on
    reached(own_postgres.address, random.randrange(1_800, 3_000))
    assert streamer.poll() is None
    own_postgres.kill()
    assert streamer.wait(90) == 75
    assert "DATABASE_SILENT" in seen((with_sql.run.directory / "stream.log").read_text())
    own_postgres.start()
    assert with_sql.streamer("--batch", "150").wait(180) == 0
    gate.terminate()
    assert gate.wait(60) == 0
    sent_once(with_sql.run)
    assert not list(with_sql.run.store.keys("wsp/checkpoints"))


def frozen(kafka: Server) -> None:
    """Its port stays open and nothing answers."""
    kafka.pause()
    time.sleep(AWAY_S)
    kafka.resume()


def killed(kafka: Server) -> None:
    """SIGKILL, and back on the same port and data."""
    kafka.kill()
    time.sleep(AWAY_S)
    kafka.start()


@pytest.mark.parametrize("away", [frozen, killed])
def test_a_bus_that_is_down_for_twenty_seconds_loses_no_event_of_a_stream_and_admits_none_twice(
    world: SealedWorld, tmp_path: Path, own_kafka: Server, dsn: str, namespace: str, away: Callable[[Server], None]
) -> None:
    processes = Processes(streaming_run(world, tmp_path, own_kafka, dsn, namespace))
    for _ in ended(processes):
        gate, streamer, labels = processes.gate(), processes.streamer(), processes.labels()
        processes.reached(Random(away.__name__).randrange(300, 2_500))
        away(own_kafka)
        code, told = resolve(processes.run, "--republish")
        assert code == 0, told
        assert [process.wait(DEADLINE_S) for process in (streamer, labels)] == [0, 0]
        gate.terminate()
        assert gate.wait(60) == 0
        sent_once(processes.run)
        delivered, final = on_topic(processes.run, "FP_BUS_LABELS_EVENTS_V1")
        assert (delivered.total() >= len(delivered) > 0, final) == (True, {0})
