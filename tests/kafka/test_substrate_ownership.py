"""Both real servers: they go with their owner, stay when told to, and are left alone when they are somebody else's."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from assay.app.cli import substrate as command
from assay.app.settings import load_settings
from assay.app.substrate import Server, Substrate, roles, state
from assay.app.substrate.kafka import ask, start_kafka
from assay.app.substrate.postgres import start_postgres
from assay.testing import until

pytestmark = [pytest.mark.tier1, pytest.mark.tier2]

OWNER = """
import sys, time
from pathlib import Path
from assay.app.settings import load_settings
from assay.app.substrate import Substrate
with Substrate(Path(sys.argv[1]), load_settings(bus="", sql="")) as servers:
    print("ready", flush=True)
    time.sleep(600)
"""


def processes_of(room: Path) -> list[psutil.Process]:
    """Every process in the table that names the room, or descends from one that does; never this one."""
    named = [
        p for p in psutil.process_iter(["cmdline"]) if any(str(room) in word for word in p.info["cmdline"] or []) and p.pid != os.getpid()
    ]
    return [one for process in named if process.is_running() for one in (process, *process.children(recursive=True))]


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them is in the process table."""
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A directory whose processes are ended after the test, whatever became of it."""
    yield tmp_path
    for process in processes_of(tmp_path):
        process.kill()


@pytest.fixture
def no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that start both servers, whatever the session uses."""
    monkeypatch.delenv("ASSAY_BUS", raising=False)
    monkeypatch.delenv("ASSAY_SQL", raising=False)


def test_both_servers_are_gone_within_five_seconds_of_their_owner_s_sigkill(room: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(room)], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    started = [process for process in processes_of(room) if process.pid != owner.pid]
    assert {"java", "postgres"} <= {process.name() for process in started}
    session = psycopg.connect(address_in(room), autocommit=True)  # an open session does not keep the server
    os.kill(owner.pid, signal.SIGKILL)
    until(lambda: gone(started), 5.0)
    session.close()
    owner.communicate()
    assert processes_of(room) == []


def address_in(room: Path) -> str:
    """The address of the PostgreSQL that another process started in the room."""
    port = int((room / "servers/postgres/ports.json").read_text().partition(":")[2].strip(" }"))
    return roles.address(room / "servers" / "postgres", roles.OWNER, port)


@pytest.mark.usefixtures("no_addresses")
def test_up_leaves_servers_running_status_lists_them_and_down_stops_them(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--dir", str(room)]
    assert command.main(["status", *at]) == 1
    assert command.main(["up", *at]) == 0
    servers = state.read(room)
    pids = [server.pid for server in servers]
    assert command.main(["up", *at]) == 0
    assert [server.pid for server in state.read(room)] == pids
    capsys.readouterr()
    assert command.main(["status", *at]) == 0
    said = capsys.readouterr().out
    for server in servers:
        for fact in (server.name, str(server.pid), str(server.port), server.address, str(server.log), str(server.data)):
            assert fact in said
    started = [psutil.Process(pid) for pid in pids]
    assert command.main(["down", *at]) == 0
    assert gone(started)
    assert command.main(["status", *at]) == 1


def test_servers_given_by_address_are_used_and_none_is_started(kafka: Server, postgres: Server, tmp_path: Path) -> None:
    settings = load_settings(bus=kafka.address, sql=postgres.address)
    with Substrate(tmp_path, settings) as servers:
        assert (servers.bootstrap, servers.dsn) == (kafka.address, postgres.address)
        assert list(tmp_path.iterdir()) == []
    assert ask(kafka.address) >= 1
    with psycopg.connect(postgres.address) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_up_with_both_addresses_starts_nothing_and_says_whose_they_are(
    kafka: Server, postgres: Server, room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSAY_BUS", kafka.address)
    monkeypatch.setenv("ASSAY_SQL", postgres.address)
    assert command.main(["up", "--dir", str(room)]) == 0
    assert capsys.readouterr().out.count("given by address") == 2
    assert processes_of(room) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root has to leave root for PostgreSQL")
def test_as_root_a_directory_closed_to_others_stays_closed(room: Path) -> None:
    closed = room / "closed"
    closed.mkdir(mode=0o700)
    server = start_postgres(closed / "postgres", load_settings())
    assert psutil.Process(server.pid).uids().effective != 0
    server.stop()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@pytest.mark.long
def test_kafka_killed_and_started_again_keeps_its_topics_and_its_port(room: Path, namespace: str) -> None:
    with start_kafka(room / "kafka", load_settings()) as server:
        admin = AdminClient({"bootstrap.servers": server.address})
        admin.create_topics([NewTopic(f"{namespace}kept", 1, 1)])[f"{namespace}kept"].result(10)
        address, first = server.address, server.pid
        server.kill()
        server.restart()
        assert server.address == address
        assert server.pid != first
        assert f"{namespace}kept" in AdminClient({"bootstrap.servers": address}).list_topics(timeout=10).topics
