"""Several processes of one gate on one port: started together, started again when one dies, and stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import IO, Final

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

LISTENING: Final = "gate listening on "
#: how long a process may take to listen; it loads and compiles first
START_WITHIN_S: Final = 120.0
#: a process that dies again and again is not started more often than this
AGAIN_AFTER_S: Final = 1.0
_LOOK_EVERY_S: Final = 0.1


def when_orphaned(end: Callable[[], object]) -> None:
    """Call `end` when whoever started this process is gone: its end of our standard input is closed then."""

    def wait() -> None:
        while os.read(0, 4096):  # not through `sys.stdin`, whose lock would be held when the interpreter ends
            pass
        end()

    threading.Thread(target=wait, name="gate-orphaned", daemon=True).start()


class Processes:
    """`command` gives the arguments of process number i from the port of all and the ports at which each tells its metrics.

    `say` prints a line. Each process has the open files of `handed` under the same numbers. Used by the main thread of the process that
    starts the others.
    """

    def __init__(
        self,
        count: int,
        host: str,
        command: Callable[[int, int, Sequence[int]], list[str]],
        say: Callable[[str], object],
        handed: Sequence[int] = (),
    ) -> None:
        self._count, self._host, self._command, self._say, self._handed = count, host, command, say, tuple(handed)
        self._alive: dict[int, subprocess.Popen[str]] = {}
        self._listening: dict[int, str] = {}
        self._changed = threading.Condition()
        self._stopping = False
        #: lines of before all listen, None afterwards
        self._held: list[str] | None = []

    def run(self, port: int) -> int:
        """Serve until SIGTERM or SIGINT; the exit code. A port of 0 takes a free one.

        Raises Stop(PORT_UNAVAILABLE).
        """
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, self._stop)
        held, told = _reserve(self._host, port), [_reserve("127.0.0.1", 0) for _ in range(self._count)]
        port, ports = held.getsockname()[1], [one.getsockname()[1] for one in told]
        for one in told:
            one.close()  # each is its process's own
        try:
            for number in range(self._count):
                self._start(number, port, ports)
            code = self._wait_for_all()
            while not self._stopping and not code:
                time.sleep(_LOOK_EVERY_S)
                code = self._start_again(port, ports)
        finally:
            held.close()
            ended = self._end_all()
            self._tell_held()
        return code or ended

    def _start(self, number: int, port: int, ports: Sequence[int]) -> None:
        self._listening.pop(number, None)
        command = self._command(number, port, ports)
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, pass_fds=self._handed)
        self._alive[number] = process
        assert process.stdout is not None
        threading.Thread(target=self._pass_on, args=(number, process.stdout), daemon=True).start()

    def _pass_on(self, number: int, lines: IO[str]) -> None:
        """Its lines, with its number; the first one that tells its address is kept for all."""
        for line in lines:
            if line.startswith(LISTENING):
                with self._changed:
                    self._listening[number] = line.strip()
                    self._changed.notify_all()
            else:
                self._tell(f"process {number}: {line.rstrip()}")

    def _tell(self, line: str) -> None:
        """Print a line behind the one that says where the gate listens."""
        with self._changed:
            if self._held is not None:
                self._held.append(line)
                return
        self._say(line)

    def _tell_held(self, first: str = "") -> None:
        with self._changed:
            held, self._held = self._held or [], None
        for line in ([first] if first else []) + held:
            self._say(line)

    def _wait_for_all(self) -> int:
        """The exit code of a process that ended before it listened, 0 once all listen."""
        until = time.monotonic() + START_WITHIN_S
        while len(self._listening) < self._count and not self._stopping:
            for process in self._alive.values():
                if process.poll() is not None:
                    return process.returncode or 1
            if time.monotonic() > until:
                what = f"{self._count - len(self._listening)} processes of the gate do not listen after {START_WITHIN_S:g} s"
                raise Stop(Reason.PORT_UNAVAILABLE, what, remedy="See what they print, and start the gate again.")
            with self._changed:
                self._changed.wait(_LOOK_EVERY_S)
        if not self._stopping:
            self._tell_held(f"{self._listening[0]} in {self._count} processes")
        return 0

    def _start_again(self, port: int, ports: Sequence[int]) -> int:
        """Start what has died. One that ends by itself before it listens has said why: its exit code ends the gate."""
        for number, process in list(self._alive.items()):
            code = process.poll()
            if code is None:
                continue
            if number not in self._listening and code > 0:
                return code
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
            self._tell(f"process {number} ended {how}: it is started again")
            time.sleep(AGAIN_AFTER_S)
            self._start(number, port, ports)
        return 0

    def _end_all(self) -> int:
        for process in self._alive.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        return max([abs(process.wait()) for process in self._alive.values()], default=0)

    def _stop(self, _: int, __: FrameType | None) -> None:
        self._stopping = True


def _reserve(host: str, port: int) -> socket.socket:
    """A socket that holds a port for processes that listen on it together, and takes no call itself. Raises Stop(PORT_UNAVAILABLE)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
    except OSError as error:
        held.close()
        what = f"the gate cannot listen there: {error.strerror or error}"
        remedy = "Choose another --host or --port, or ASSAY_GATE_HOST and ASSAY_GATE_PORT; port 0 takes a free one."
        raise Stop(Reason.PORT_UNAVAILABLE, what, where=f"{host}:{port}", remedy=remedy) from None
    return held
