"""A server process under its supervisor: start and wait for it, stop, kill, freeze and restart it.

Who owns it: the process that called `start`, until it stops the server or dies, or calls `detach`.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from assay.app.database.rights import NO_ROLES, SqlAddresses
from assay.app.substrate.supervisor import family, signal_all
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

ORPHAN_GRACE_S = 2.0
LOG_LINES_SHOWN = 8
_SUPERVISOR = Path(__file__).with_name("supervisor.py")


@dataclass(frozen=True)
class Launch:
    """How a server is started: argument vector, place, log, stop signal, and the user to run it as when we are root."""

    argv: list[str]
    cwd: Path
    log: Path
    stop_signal: int
    grace_s: float
    user: tuple[int, int] | None = None
    inherit_environment: bool = False
    """For processes of our own, which have settings; a server's start must not depend on the user's variables."""


def supervise(name: str, launch: Launch, file_size_limit_bytes: int | None = None) -> tuple[subprocess.Popen[bytes], int]:
    """Start the process under a supervisor of its own; the supervisor, whose standard input is the lifeline, and the server's pid."""
    launch.log.parent.mkdir(parents=True, exist_ok=True)
    with launch.log.open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-I", str(_SUPERVISOR), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            # the user's JAVA_* and PG* variables are not the server's
            env=None if launch.inherit_environment else {"LANG": "C.UTF-8", "TZ": "UTC", "PATH": os.defpath},
        )
    message = {
        "name": name,
        "argv": launch.argv,
        "cwd": str(launch.cwd),
        "log": str(launch.log),
        "stop_signal": int(launch.stop_signal),
        "grace_s": launch.grace_s,
        "orphan_grace_s": ORPHAN_GRACE_S,
        "user": launch.user,
        "file_size_limit_bytes": file_size_limit_bytes,
    }
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(message).encode() + b"\n")
    child.stdin.flush()
    with child.stdout:
        answer = child.stdout.readline()
    if not answer:
        child.stdin.close()
        child.wait()
        raise failure(Reason.SERVER_DIED, f"{name} could not be started", launch.log)
    return child, int(json.loads(answer)["pid"])


def run_to_end(name: str, launch: Launch, timeout_s: float) -> None:
    """Run a preparing command to its end under the same ownership; raises Stop(SERVER_DIED) if it fails or takes too long."""
    child, _ = supervise(name, launch)
    assert child.stdin is not None
    try:
        status: int | None = child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        status = None
    finally:
        child.stdin.close()  # ends a command that is still there
        child.wait()
    if status:
        raise failure(Reason.SERVER_DIED, f"{name} failed", launch.log)
    if status is None:
        raise failure(Reason.SERVER_DIED, f"{name} did not end within {timeout_s:.0f} s", launch.log)


def failure(reason: Reason, what: str, log: Path) -> Stop:
    """A refusal that shows the end of the server's log."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    tail = "\n  ".join(lines[-LOG_LINES_SHOWN:])
    return Stop(reason, what, where=str(log), remedy=f"The end of its log:\n  {tail}")


@contextmanager
def _real_user(user: tuple[int, int] | None) -> Iterator[None]:
    """Be the server's user by real id, which is what the kernel asks of who changes a limit; root in a container may not otherwise."""
    if user is None:
        yield
        return
    os.setresgid(user[1], -1, -1)
    os.setresuid(user[0], -1, -1)
    try:
        yield
    finally:
        os.setresuid(0, -1, -1)
        os.setresgid(0, -1, -1)


@dataclass
class Server:
    """One server by its address. `launch` is None for a server that somebody else runs; it is used and never touched.

    `answers` raises while the server does not answer yet.
    """

    name: str
    port: int
    address: str
    log: Path | None = None
    data: Path | None = None
    launch: Launch | None = None
    answers: Callable[[], object] | None = None
    deadline_s: float = 60.0
    pid: int = 0
    #: the addresses of the components' roles, where the server has them
    roles: SqlAddresses = NO_ROLES
    #: the folder with the client properties of each user, where the server has users of ours
    users: str = ""
    _supervisor: psutil.Process | None = field(default=None, repr=False)
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, *, file_size_limit_bytes: int | None = None) -> Server:
        """Start the process and return when it answers; raises Stop(SERVER_DIED) or Stop(SERVER_SILENT) with the end of its log."""
        launch = self._ours("start")
        try:
            self._child, self.pid = supervise(self.name, launch, file_size_limit_bytes)
            self._supervisor = psutil.Process(self._child.pid)
            self._await_answer()
        except BaseException:
            self.kill()
            raise
        return self

    def _await_answer(self) -> None:
        deadline = time.monotonic() + self.deadline_s
        while True:
            if not self.alive:
                raise failure(Reason.SERVER_DIED, f"{self.name} ended while it was starting", self._ours("start").log)
            try:
                if self.answers is not None:
                    self.answers()
            except Exception as error:
                if time.monotonic() > deadline:
                    raise failure(
                        Reason.SERVER_SILENT, f"{self.name} did not answer within {self.deadline_s:.0f} s", self._ours("start").log
                    ) from error
                time.sleep(0.05)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether our supervisor, and so the server, is running."""
        if self._child is not None:
            return self._child.poll() is None
        return self._supervisor is not None and self._supervisor.is_running() and self._supervisor.status() != psutil.STATUS_ZOMBIE

    @property
    def exit_code(self) -> int | None:
        """0 for a process that ended well, another number otherwise, None while it runs or if it was never started here."""
        return self._child.poll() if self._child is not None else None

    @property
    def owned(self) -> bool:
        """Whether this handle may stop the server."""
        return self.launch is not None or self._supervisor is not None

    def stop(self) -> None:
        """Stop cleanly and return when nothing of the server is left; a server at a given address stays as it is."""
        if not self.owned or self._supervisor is None:
            return
        signal_all([self._supervisor], signal.SIGTERM)
        grace_s = self.launch.grace_s if self.launch else 10.0
        try:
            self._join(grace_s + 5.0)
        except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
            self.kill()

    def kill(self) -> None:
        """SIGKILL the server and every process it started, as a power cut would."""
        self._ours("kill")
        signal_all(family(self.pid) if self.alive and self.pid else [], signal.SIGKILL)
        try:
            self._join(5.0)
        except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
            signal_all([self._supervisor] if self._supervisor else [], signal.SIGKILL)
            self._join(5.0)

    def pause(self) -> None:
        """SIGSTOP the server: its port stays open, nothing answers."""
        self._ours("pause")
        signal_all(family(self.pid), signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        self._ours("resume")
        signal_all(family(self.pid), signal.SIGCONT)

    def restart(self, *, file_size_limit_bytes: int | None = None) -> Server:
        """Stop if running, then start on the same port and data."""
        self._ours("restart")
        self.stop()
        return self.start(file_size_limit_bytes=file_size_limit_bytes)

    def detach(self) -> None:
        """Let the server outlive this process; `assay substrate down` stops it."""
        self._ours("detach")
        assert self._child is not None
        assert self._child.stdin is not None
        self._child.stdin.write(b"detach\n")
        self._child.stdin.close()

    def adopt(self, supervisor: psutil.Process) -> None:
        """Take over a detached server by its supervisor, to stop it."""
        self._supervisor = supervisor

    def supervisor_identity(self) -> tuple[int, float]:
        """The supervisor's pid and start time (seconds since the epoch); zeros where there is none."""
        return (self._supervisor.pid, self._supervisor.create_time()) if self._supervisor is not None else (0, 0.0)

    def limit_file_size(self, limit_bytes: int | None) -> None:
        """Let the running server write no file beyond this size, as a full disk would, or lift that; Linux only."""
        launch = self._ours("limit")
        soft = resource.RLIM_INFINITY if limit_bytes is None else limit_bytes
        with _real_user(launch.user):
            for process in family(self.pid):
                process.rlimit(psutil.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    def _join(self, timeout_s: float) -> None:
        if self._child is not None:
            self._child.wait(timeout_s)
            if self._child.stdin is not None:
                self._child.stdin.close()
        elif self._supervisor is not None:
            self._supervisor.wait(timeout_s)

    def _ours(self, verb: str) -> Launch:
        if self.launch is None:
            raise Stop(
                Reason.SERVER_NOT_OURS,
                f"cannot {verb} {self.name}: it was given by address, not started here",
                where=self.address,
                remedy="Leave the address out of the settings to have one started.",
            )
        return self.launch
