"""Who owns a server process, and what is left of it: tried on a small server, the process table is the judge."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from assay.app.substrate import Server, ports, state
from assay.app.substrate.processes import Launch
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.testing import until

#: listens, keeps a child of its own, answers each connection with its pid; `stubborn` ignores SIGTERM
PROGRAM = """
import os, signal, socket, subprocess, sys
port, mode = int(sys.argv[1]), sys.argv[2]
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if mode == "broken":
    sys.exit("no such thing as luck")
subprocess.Popen(["sleep", "600"])
if mode != "deaf":
    listener = socket.create_server(("127.0.0.1", port))
while True:
    if mode == "deaf":
        signal.pause()
    connection, _ = listener.accept()
    connection.sendall(b"%d" % os.getpid())
    connection.close()
"""

OWNER = """
import sys, os, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_processes import small_server
server = small_server(Path({room!r}), {mode!r}).start()
if {fork}:
    if os.fork() == 0:
        time.sleep(600)
if {detach}:
    from assay.app.substrate import state
    state.write(Path({room!r}), [server])
    server.detach()
says = "ready"
while True:
    try:
        print(says, flush=True)
        time.sleep(600)
    except KeyboardInterrupt:
        says = "interrupted"
"""


def small_server(room: Path, mode: str = "plain", deadline_s: float = 20.0) -> Server:
    """A server of the program above; the room's path is in its arguments, so the process table shows whose it is."""
    port = ports.claim(room / "ports.json", ["small"])["small"]
    launch = Launch([sys.executable, "-c", PROGRAM, str(port), mode, str(room)], room, room / "small.log", signal.SIGTERM, 1.0)
    return Server(
        "small", port, f"127.0.0.1:{port}", log=launch.log, data=room, launch=launch, answers=lambda: ask(port), deadline_s=deadline_s
    )


def ask(port: int) -> int:
    """The pid the server answers with."""
    with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
        connection.settimeout(1.0)
        return int(connection.recv(16))


def family_of(server_pid: int) -> list[psutil.Process]:
    """The server and the child it keeps."""
    process = psutil.Process(server_pid)
    return [process, *until(process.children)]


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them is in the process table."""
    return not any(map(_runs, processes))


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # it went between the two questions
        return False


def processes_of(room: Path) -> list[psutil.Process]:
    """Every process that names the room in its arguments, except the owner's own."""
    return [p for p in psutil.process_iter(["cmdline"]) if str(room) in (p.info["cmdline"] or []) and p.pid != os.getpid()]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A directory whose processes are ended after the test, whatever became of it."""
    yield tmp_path
    for process in processes_of(tmp_path):
        process.kill()


def start_owner(room: Path, mode: str = "plain", *, fork: bool = False, detach: bool = False) -> subprocess.Popen[str]:
    """A process that starts the small server, in a group of its own; it is ready when this returns."""
    text = OWNER.format(tests=str(Path(__file__).parent), room=str(room), mode=mode, fork=fork, detach=detach)
    owner = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    return owner


def finish(owner: subprocess.Popen[str]) -> None:
    """SIGKILL the owner's process group: what a killed terminal or container does to it."""
    os.killpg(owner.pid, signal.SIGKILL)
    owner.communicate()


def test_a_server_answers_when_start_returns_and_stop_leaves_nothing(room: Path) -> None:
    server = small_server(room).start()
    members = family_of(server.pid)
    assert ask(server.port) == server.pid
    server.stop()
    assert gone(members)
    assert not server.alive


@pytest.mark.parametrize("mode", ["plain", "stubborn"])
def test_a_server_ends_within_five_seconds_of_its_owner_s_sigkill(room: Path, mode: str) -> None:
    owner = start_owner(room, mode)
    (server,) = processes_of(room)
    members = family_of(server.pid)
    os.kill(owner.pid, signal.SIGKILL)
    until(lambda: gone(members), 5.0)
    owner.communicate()


def test_a_forked_sibling_that_holds_the_pipe_does_not_keep_the_server(room: Path) -> None:
    owner = start_owner(room, fork=True)
    (server,) = processes_of(room)
    os.kill(owner.pid, signal.SIGKILL)
    until(lambda: gone([server]), 5.0)
    finish(owner)


def test_a_frozen_server_ends_with_its_owner_too(room: Path) -> None:
    owner = start_owner(room)
    (server,) = processes_of(room)
    server.suspend()
    finish(owner)
    until(lambda: gone([server]), 5.0)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
def test_a_server_ends_with_its_supervisor(room: Path) -> None:
    server = small_server(room).start()
    process = psutil.Process(server.pid)
    supervisor = process.parent()
    assert supervisor is not None
    supervisor.kill()
    until(lambda: gone([process]), 5.0)
    server.kill()


def test_ctrl_c_reaches_the_owner_and_not_the_server(room: Path) -> None:
    owner = start_owner(room)
    (server,) = processes_of(room)
    os.killpg(owner.pid, signal.SIGINT)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "interrupted\n"
    assert not gone([server])
    finish(owner)
    until(lambda: gone([server]), 5.0)


def test_a_detached_server_outlives_its_owner_and_is_stopped_from_elsewhere(room: Path) -> None:
    finish(start_owner(room, detach=True))
    (server,) = state.read(room)
    members = family_of(server.pid)
    assert server.alive
    server.stop()
    assert gone(members)
    assert not state.read(room)[0].alive


def test_a_recorded_pid_that_is_another_process_by_now_is_left_alone(room: Path) -> None:
    entry = state.ServerRecord("small", 1, "127.0.0.1:1", "", "", os.getpid(), os.getpid(), 12345.0)
    server = state.server(entry)
    server.stop()
    assert not server.alive


def test_kill_is_for_the_whole_family_and_restart_keeps_the_port(room: Path) -> None:
    server = small_server(room).start()
    members = family_of(server.pid)
    server.kill()
    until(lambda: gone(members))  # the system takes a moment to end a process that it was told to kill
    server.restart()
    assert ask(server.port) == server.pid
    assert server.pid != members[0].pid
    server.stop()


def test_a_paused_server_keeps_its_port_and_answers_after_resume(room: Path) -> None:
    server = small_server(room).start()
    server.pause()
    with pytest.raises(TimeoutError):
        ask(server.port)
    server.resume()
    assert until(lambda: ask(server.port)) == server.pid
    server.stop()


@pytest.mark.parametrize(
    ("mode", "deadline_s", "reason", "told"),
    [("broken", 20.0, Reason.SERVER_DIED, "no such thing as luck"), ("deaf", 0.5, Reason.SERVER_SILENT, "did not answer within")],
)
def test_a_server_that_does_not_come_up_is_refused_with_its_log_and_leaves_nothing(
    room: Path, mode: str, deadline_s: float, reason: Reason, told: str
) -> None:
    with pytest.raises(Stop) as refused:
        small_server(room, mode, deadline_s).start()
    assert refused.value.reason is reason
    assert told in str(refused.value)
    assert str(room / "small.log") in str(refused.value)
    assert processes_of(room) == []


@pytest.mark.parametrize("verb", ["start", "kill", "pause", "resume", "restart", "detach"])
def test_a_server_given_by_address_is_never_touched(verb: str) -> None:
    server = Server("kafka", 9092, "broker.example:9092")
    with pytest.raises(Stop) as refused:
        getattr(server, verb)()
    assert refused.value.reason is Reason.SERVER_NOT_OURS
    server.stop()


def test_ports_are_kept_for_the_next_start_unless_taken(room: Path) -> None:
    file = room / "ports.json"
    first = ports.claim(file, ["a", "b"])
    assert ports.claim(file, ["a", "b"]) == first
    with socket.create_server(("127.0.0.1", first["a"])):
        assert ports.claim(file, ["a", "b"])["a"] != first["a"]


def test_when_every_port_is_taken_the_refusal_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(ports, "FIRST_PORT", listener.getsockname()[1])
        monkeypatch.setattr(ports, "PORT_COUNT", 1)
        with pytest.raises(Stop) as refused:
            ports.free_port()
    assert refused.value.reason is Reason.PORT_UNAVAILABLE
