"""The processes of a run: gate, worker, streamer and delivery of labels, each its own process with its log, ended with their parent.

A process that ends before its time (its broker or database was away for too long) is started again, a bounded number of times:
each of them goes on where its journal, index or checkpoint says.
"""

from __future__ import annotations

import json
import signal
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from assay.app.run.directory import Run
from assay.app.substrate.processes import Launch, Server
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

GRACE_S = 15.0
#: one process is started again so often without the run getting further in between
RESTARTS_MAX = 6
#: then the pause doubles, so that a broker may be away for a minute
RESTART_PAUSE_S = 1.0


class Kept:
    """Processes that have to run until the end of the run. `say` tells people what happens.

    A process that ended with one of the `final` codes would only do so again.
    """

    def __init__(
        self, processes: Sequence[Server], say: Callable[[str], None], final: frozenset[int] = frozenset(), pause_s: float = RESTART_PAUSE_S
    ) -> None:
        self.processes = list(processes)
        self.say = say
        self._final = final
        self._pause_s = pause_s
        #: by the place of a process in the list: one that cannot stay alive does not use up what another may need
        self._restarts: Counter[int] = Counter()

    def progressed(self) -> None:
        """The run got further: what was away is back."""
        self._restarts.clear()

    def look(self) -> None:
        """Start again what ended. Raises Stop(RUN_INCOMPLETE) with the end of its log when that does not help."""
        for number, process in enumerate(self.processes):
            while process.owned and not process.alive:
                if self._restarts[number] == RESTARTS_MAX or process.exit_code in self._final:
                    raise ended(process)
                self._again(number, process)

    def _again(self, number: int, process: Server) -> None:
        pause_s = self._pause_s * 2 ** self._restarts[number]
        self._restarts[number] += 1
        tries = f"({self._restarts[number]} of {RESTARTS_MAX})"
        self.say(f"the {process.name} ended {last_words(process)}; starting it again in {pause_s:g} s {tries}")
        time.sleep(pause_s)
        try:
            process.start()
        except Stop as error:
            if error.reason not in (Reason.SERVER_DIED, Reason.SERVER_SILENT):
                raise


def last_words(process: Server) -> str:
    """How it ended, and the last line of its log: the supervisor's own only if there is no other.

    A process that is killed says nothing, and its last line is no cause.
    """
    lines = _tail(process)
    lines = [line for line in lines if not line.startswith("supervisor:")] or lines
    told = f"the end of its log is: {lines[-1].strip()}" if lines else "its log is empty"
    return f"{_how(process.exit_code)}, {told}"


def _how(code: int | None) -> str:
    """A status as people say it; the supervisor tells a signal as a shell does."""
    number = (code or 0) - 128
    return f"by {signal.Signals(number).name}" if number in set(signal.Signals) else f"with status {code}"


def ended(process: Server) -> Stop:
    """The refusal that names a process of the run which ended, with the end of its log."""
    return Stop(
        Reason.RUN_INCOMPLETE,
        f"the {process.name} ended",
        where=str(process.log),
        remedy="The end of its log:\n  " + "\n  ".join(_tail(process)) + "\nThe same command with --run resumes the run.",
    )


def _tail(process: Server) -> list[str]:
    lines = process.log.read_text(errors="replace").splitlines()[-20:] if process.log and process.log.exists() else []
    return [line for line in lines if line.strip()][-6:]


def gate(run: Run) -> Server:
    """The ingestion gate, answering."""
    at = urlsplit(run.gate_url)
    arguments = ["gate", "serve", "--host", str(at.hostname), "--port", str(at.port)]
    return _member(run, "gate", arguments, run.gate_url, at.port or 0, signal.SIGTERM, _answers(f"{run.gate_url}/healthz")).start()


def worker(run: Run) -> Server:
    """The worker with all packs, recovered and reading."""
    at = urlsplit(run.worker_url)
    arguments = ["worker", "--web-port", str(at.port)]
    return _member(run, "worker", arguments, run.worker_url, at.port or 0, signal.SIGTERM, _owns_lanes(run)).start()


def streamer(run: Run, speedup: float, *, let_gate_refuse: bool = False) -> Server:
    """The world streamer; it ends when the world does."""
    arguments = ["stream", "--speedup", str(speedup), *(["--let-gate-refuse"] if let_gate_refuse else [])]
    return _member(run, "streamer", arguments, run.gate_url, 0, signal.SIGINT, None).start()


def labels(run: Run, speedup: float) -> Server:
    """The delivery of the world's labels; it ends when all are known."""
    return _member(run, "labels", ["labels", "deliver", "--speedup", str(speedup)], run.gate_url, 0, signal.SIGINT, None).start()


def _member(
    run: Run, name: str, arguments: list[str], address: str, port: int, stop_signal: int, answers: Callable[[], object] | None
) -> Server:
    argv = [sys.executable, "-m", "assay", *arguments, "--run", str(run.directory.resolve())]
    log = run.logs.resolve() / f"{name}.log"
    launch = Launch(argv, Path.cwd(), log, stop_signal, GRACE_S, inherit_environment=True)
    return Server(name, port, address, log, run.directory, launch, answers, deadline_s=90.0)


def _owns_lanes(run: Run) -> Callable[[], object]:
    def ask() -> object:
        health = json.loads(_get(f"{run.worker_url}/healthz"))
        if not health["lanes"]:
            raise ConnectionError("the worker answers and owns no lane yet")
        return health

    return ask


def _answers(url: str) -> Callable[[], object]:
    return lambda: _get(url)


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own process on this machine
        body: bytes = answer.read()
        return body
