"""Own one server process: stop it when asked, and when the process that wanted it is gone.

Run as a script, one per server, in a session of its own, so that Ctrl-C in a terminal never reaches the server and the owner stops
its servers in its own order. It reads one JSON line (the launch) from standard input, answers one JSON line with the server's pid,
and then holds on to that pipe: end of file, or another parent than before, means that the owner died, by SIGKILL too.
A pipe works on every POSIX system and needs nothing of the server. The line `detach` lets the server outlive its owner.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from typing import Any

import psutil

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 4
CAP_DAC_OVERRIDE = 1
LINUX_CAPABILITY_VERSION_3 = 0x20080522
POLL_S = 0.5


def become(uid: int, gid: int) -> None:
    """Leave root for `uid`, keeping on Linux the one capability that still opens directories closed to others.

    PostgreSQL refuses to run as root, and a checkout is often closed to everybody else; opening the user's
    directories with chmod, as is common, would outlive the test.
    """
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if libc is not None:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        # without this access(2), by which initdb looks for its siblings, forgets the capability of a user who is not root
        libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if libc is not None:
        bit = 1 << CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
        libc.capset(header, (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0))
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def prepare(launch: dict[str, Any]) -> None:
    """In the child, before exec: limits, user, and on Linux death together with this supervisor."""
    if launch["file_size_limit_bytes"] is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (launch["file_size_limit_bytes"], hard))
    if launch["user"] is not None:
        become(*launch["user"])
    if sys.platform == "linux":  # after setuid, which clears it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def family(pid: int) -> list[psutil.Process]:
    """The process and everything it started, outermost first; empty when it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def signal_all(processes: list[psutil.Process], number: int) -> None:
    """Send a signal to each process that is still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


class Owner:
    """The process that wants the server, seen through its pipe and as our parent."""

    def __init__(self) -> None:
        self.pid = os.getppid()
        self.pipe: int | None = sys.stdin.fileno()

    def is_dead(self, wake: int, wait_s: float) -> bool:
        """Wait for news, at most `wait_s`; true once the owner is gone, never after `detach`."""
        ready, _, _ = select.select([wake] if self.pipe is None else [wake, self.pipe], [], [], wait_s)
        if wake in ready:
            os.read(wake, 64)
        if self.pipe in ready and self.pipe is not None:
            if os.read(self.pipe, 64) != b"detach\n":
                return True
            self.pipe = None
        return self.pipe is not None and os.getppid() != self.pid  # a forked sibling of the owner may hold the pipe open


def end(server: subprocess.Popen[bytes], launch: dict[str, Any], owner: Owner, wake: int, *, orphaned: bool) -> None:
    """Ask the server to stop, then make sure that neither it nor a process it started is left; patience ends with the owner."""
    members = family(server.pid) if server.poll() is None else []  # a pid that was waited for may be another's by now
    signal_all(members[:1], launch["stop_signal"])
    signal_all(members, signal.SIGCONT)
    deadline = time.monotonic() + launch["orphan_grace_s" if orphaned else "grace_s"]
    while server.poll() is None and time.monotonic() < deadline:
        if orphaned:
            time.sleep(0.05)  # its pipe stays readable for good
        elif owner.is_dead(wake, 0.1):
            orphaned, deadline = True, min(deadline, time.monotonic() + launch["orphan_grace_s"])
    signal_all(members, signal.SIGKILL)
    server.wait()


def watch(server: subprocess.Popen[bytes], owner: Owner, wake: int, stopping: list[int]) -> bool:
    """Wait until the server ends, a stop is asked for, or the owner dies; true if the owner died."""
    while server.poll() is None and not stopping:
        if owner.is_dead(wake, POLL_S):
            return True
    return False


def main() -> int:
    """Start the server named by the launch, answer its pid, stay until it ends."""
    wake, waker = os.pipe()
    for end_of_pipe in (wake, waker):
        os.set_blocking(end_of_pipe, False)
    signal.set_wakeup_fd(waker)
    owner, stopping = Owner(), list[int]()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    line = b""
    while not line.endswith(b"\n"):  # unbuffered, so that nothing after the line is swallowed
        line += os.read(0, 1) or b"\n"
    launch = json.loads(line)
    with open(launch["log"], "ab") as log:
        server = subprocess.Popen(
            launch["argv"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=launch["cwd"],
            preexec_fn=lambda: prepare(launch),  # noqa: PLW1509 - this process has one thread
        )
    with contextlib.suppress(BrokenPipeError):  # the owner died meanwhile; watching will tell
        os.write(1, json.dumps({"pid": server.pid}).encode() + b"\n")
    started = time.monotonic()
    orphaned = watch(server, owner, wake, stopping)
    end(server, launch, owner, wake, orphaned=orphaned)
    with open(launch["log"], "a", encoding="utf-8") as log_text:
        why = "its owner died" if orphaned else "a stop was asked for" if stopping else "it ended by itself"
        lived_s = time.monotonic() - started
        log_text.write(f"supervisor: {launch['name']} ended with status {server.returncode} after {lived_s:.1f} s: {why}\n")
    return server.returncode if server.returncode >= 0 else 128 - server.returncode  # as a shell says it


if __name__ == "__main__":
    raise SystemExit(main())
