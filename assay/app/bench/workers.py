"""Worker processes of a run that is measured, and what they say of themselves; a raw copy in the place of a worker."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from assay.agents.specs import Role
from assay.agents.topology import TOPOLOGY
from assay.app.bench.bus import wait_until
from assay.app.bench.contestants import python
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.app.substrate.ports import free_port
from assay.app.substrate.processes import Launch

#: a worker that starts on a busy machine, compiling nothing, is there long before
DEADLINE_S = 180.0
LANE = TOPOLOGY.with_role(Role.DECIDE)


class Worker(NamedTuple):
    """A worker process and where it answers."""

    process: Server
    port: int

    def health(self) -> dict[str, Any]:
        """What it says of itself, nothing while it does not answer."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2) as answer:
                said: dict[str, Any] = json.load(answer)
                return said
        except (URLError, OSError):
            return {}

    @property
    def decides(self) -> bool:
        """Whether it owns a lane."""
        return bool(self.health().get("lanes"))

    @property
    def is_done(self) -> bool:
        """Whether it has finished with all of its input, as far as it has seen."""
        lag = self.health().get("lag", [])
        return bool(lag) and all(one["rows"] == 0 for one in lag)

    def follows(self, active: Worker) -> bool:
        """Whether it has folded what the active worker has written, give or take what is under way."""
        ours, theirs = (one.health().get("journal", {}).get(f"{LANE.name}/0", 0) for one in (self, active))
        return bool(theirs) and ours >= theirs - 10


def start_worker(made: Run, number: int, stack: ExitStack) -> Worker:
    """A worker of the decision lane, stopped with the stack."""
    port = free_port()
    argv = python("assay", "worker", "--run", str(made.directory), "--pack", LANE.pack, "--web-port", str(port))
    return Worker(_start(f"worker {number}", argv, made.directory / f"worker{number}.log", stack), port)


def start_copy(made: Run, source: str, target: str, stack: ExitStack) -> Server:
    """A raw copy of a topic into another (real names), stopped with the stack. Returns when it copies."""
    log = made.directory / "copy.log"
    process = _start("copy", python("assay.app.bench.passthrough", made.bootstrap, f"{target}.copy", source, target), log, stack)
    wait_until(lambda: "copying" in log.read_text(encoding="utf-8"), "begun to copy", process, DEADLINE_S)
    return process


def _start(name: str, argv: list[str], log: Path, stack: ExitStack) -> Server:
    launch = Launch(argv, Path.cwd(), log, signal.SIGTERM, 20.0, inherit_environment=True)
    return stack.enter_context(Server(name, 0, "", log=log, launch=launch).start())
