"""Real worker processes of one run: started, watched, killed and frozen."""

from __future__ import annotations

import re
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker_web import get_json

from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.app.substrate.ports import free_port
from assay.app.substrate.processes import Launch

LANES = ["rtdl/0", "act/0", "audit/0"]
STOP_GRACE_S = 30.0
#: a standby this many journal records behind has what matters: the rest is under way
BEHIND_MAX = 10
#: a standby takes a snapshot every few seconds here, so that many a worker starts from one
SNAPSHOT_EVERY_RECORDS = 100


@dataclass
class Life:
    """What becomes of one worker, in seconds since the epoch."""

    name: str
    began_s: float
    active_s: float | None = None
    ended_s: float | None = None
    frozen: list[tuple[float, float]] = field(default_factory=list)
    end: str = ""


class Member:
    """One `assay worker`. It dies with this process."""

    def __init__(self, run: Run, number: int, failpoint: str = "") -> None:
        self.port, self.log = free_port(), run.directory / f"worker{number}.log"
        self.marker = run.directory / f"reached{number}"
        given = [f"ASSAY_SNAPSHOT_EVERY_RECORDS={SNAPSHOT_EVERY_RECORDS}"]
        given += [f"ASSAY_FAILPOINT={failpoint}", f"ASSAY_FAILPOINT_FILE={self.marker}"] if failpoint else []
        where = ["--run", str(run.directory), "--web-port", str(self.port)]
        argv = ["env", *given, sys.executable, "-m", "assay", "worker", *where]
        launch = Launch(argv, Path.cwd(), self.log, signal.SIGTERM, STOP_GRACE_S, inherit_environment=True)
        self._server = Server(f"worker{number}", 0, "", log=self.log, launch=launch).start()
        self._frozen_since: float | None = None
        #: it has answered, so it is past its start and ends in order when it is told to
        self.answered = False
        self.life = Life(self._server.name, time.time())

    @property
    def alive(self) -> bool:
        """Whether the process runs, frozen or not."""
        return self._server.alive

    def health(self) -> dict[str, Any]:
        """What it says of itself; nothing while it does not answer."""
        if self._frozen_since is not None or not self.alive:
            return {}
        found: dict[str, Any] = get_json(self.port, "/healthz") or {}
        self.answered = self.answered or bool(found)
        return found

    def lanes(self) -> list[str]:
        """The lanes it owns; none while it does not answer."""
        return list(self.health().get("lanes", ()))

    def is_active(self) -> bool:
        """Whether it owns every lane."""
        active = self.lanes() == LANES
        if active and self.life.active_s is None:
            self.life.active_s = time.time()
        return active

    def follows(self, other: Member) -> bool:
        """Whether it stands by and has folded what the other has written."""
        ours, theirs = self.health(), other.health()
        near = [ours["journal"][lane] >= theirs["journal"][lane] - BEHIND_MAX for lane in LANES] if ours and theirs else [False]
        return ours.get("standby") == LANES and all(near)

    def kill(self) -> None:
        """SIGKILL."""
        self._server.kill()
        self.note_end("SIGKILL")

    def stop(self) -> None:
        """SIGTERM; returns when it has ended."""
        self._server.stop()
        self.note_end("SIGTERM")

    def freeze(self) -> None:
        """SIGSTOP."""
        self._server.pause()
        self._frozen_since = time.time()

    def thaw(self) -> None:
        """SIGCONT."""
        self._server.resume()
        assert self._frozen_since is not None
        self.life.frozen.append((self._frozen_since, time.time()))
        self._frozen_since = None

    def note_end(self, why: str = "") -> None:
        """Remember when and why it ended."""
        if self.life.ended_s is None:
            self.life.ended_s, self.life.end = time.time(), why or self.reason()

    @property
    def exit_code(self) -> int | None:
        """0 after a good end, another number otherwise, None while it runs."""
        return self._server.exit_code

    def reason(self) -> str:
        """The code with which it ended by itself; "" when it named none."""
        found = re.findall(r"^assay worker: ([A-Z_]+): ", self.log.read_text(errors="replace"), re.MULTILINE)
        return str(found[-1]) if found else ""

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3_000:]
