"""A run's directory belongs to one command at a time: the second is told which process has it, and a killed one lets go."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from assay.app.cli import main
from assay.app.settings import Settings, load_settings
from assay.app.stores.file_lock import held, writer_lock
from assay.app.substrate import Server, state
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.testing import until

HOLDER = """
import sys
from pathlib import Path
from assay.app.stores.file_lock import held
with held(Path(sys.argv[1]), "assay substrate up"):
    print("held", flush=True)
    sys.stdin.read()
"""
Lock = Callable[[Path], AbstractContextManager[None]]
RUN = "platform_20260101T000000Z"


@pytest.mark.parametrize("command", [["up", "--run"], ["demo", "--run"], ["substrate", "up", "--dir"], ["substrate", "down", "--dir"]])
def test_a_second_command_on_a_directory_is_refused_and_told_whose_it_is(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / RUN
    with held(directory, "assay up"), pytest.raises(SystemExit) as end:
        main([*command, str(directory)])
    assert end.value.code == 75
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"assay {command[0]}: DIRECTORY_BUSY: `assay up`, process {os.getpid()} runs in this directory (at {directory})")
    assert "end it" in line
    assert [path.name for path in directory.iterdir()] == [".lock"]


def test_a_holder_that_is_killed_lets_go(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    for _ in range(2):  # the first refused command must not wipe out the holder's name
        with pytest.raises(Stop, match=f"`assay substrate up`, process {holder.pid} runs"), held(tmp_path, "assay demo"):
            pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with held(tmp_path, "assay demo"):
        assert (tmp_path / ".lock").read_text() == f"`assay demo`, process {os.getpid()}"


def test_a_command_that_fails_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="failed"), held(tmp_path, "assay up"):
        raise ValueError("failed")
    with held(tmp_path, "assay demo"):
        assert (tmp_path / ".lock").read_text().startswith("`assay demo`")


@pytest.mark.parametrize("lock", [lambda directory: held(directory, "assay up"), lambda directory: writer_lock(directory / "object.lock")])
def test_a_file_system_without_kernel_locks_is_refused(lock: Lock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another kind of lock would survive a holder that is killed."""

    def no_flock(file: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", no_flock)
    with pytest.raises(OSError, match="not implemented"), lock(tmp_path):
        pass


@pytest.mark.parametrize(
    ("given", "refused"),
    [({}, "postgres and kafka"), ({"bus": "broker.example:9092"}, "postgres"), ({"bus": "b:9092", "sql": "postgresql://x/y"}, "")],
)
def test_servers_left_running_in_a_directory_are_named_with_what_stops_them(given: dict[str, str], refused: str, tmp_path: Path) -> None:
    servers = [Server("postgres", 1, "postgresql://a/b"), Server("kafka", 2, "127.0.0.1:2")]
    for server in servers:
        server.adopt(psutil.Process())
    state.write(tmp_path, servers)
    settings = load_settings(**{"bus": "", "sql": "", **given})
    if not refused:
        state.refuse_running(tmp_path, settings)
        return
    with pytest.raises(Stop, match=rf"{refused} of this directory still run.*assay substrate down --dir {tmp_path}") as stopped:
        state.refuse_running(tmp_path, settings)
    assert stopped.value.reason is Reason.DIRECTORY_BUSY


def test_servers_that_ended_hold_nothing(tmp_path: Path, settings: Settings) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    server = Server("kafka", 2, "127.0.0.1:2")
    server.adopt(psutil.Process(child.pid))
    state.write(tmp_path, [server])
    child.wait(30)
    until(lambda: not psutil.pid_exists(child.pid))
    state.refuse_running(tmp_path, settings)
