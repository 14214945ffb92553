"""What operators see of a run as it goes: never in the way of truth. A sink that hangs or fails loses its own lines, and nothing waits.

Each sink has a queue of its own. A line is lost when the queue is full: DEBUG first, then the oldest.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Any, Final, NamedTuple

Sink = Callable[[Mapping[str, Any]], object]
Line = Mapping[str, Any]


class Severity(IntEnum):
    """How much a line matters."""

    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40


class Phase(StrEnum):
    """The part of the work that a line is about."""

    INGRESS = "INGRESS"
    AUTHORITY = "AUTHORITY"
    PLAN = "PLAN"
    ENGINE = "ENGINE"
    EVIDENCE = "EVIDENCE"
    STREAM = "STREAM"
    COMMIT = "COMMIT"
    REEMIT = "REEMIT"


class Outcome(StrEnum):
    """How that part went."""

    OK = "OK"
    WAITING = "WAITING"
    FAIL = "FAIL"
    CONFLICT = "CONFLICT"
    SKIP = "SKIP"
    RETRY = "RETRY"


class Kind(NamedTuple):
    """What is the same in all lines of a kind."""

    phase: Phase
    outcome: Outcome = Outcome.OK
    severity: Severity = Severity.INFO


#: a kind that no table names
OTHER: Final = Kind(Phase.COMMIT)


class Telemetry:
    """Lines for some sinks. `kinds`: the table of the component that speaks. `room`: lines that may wait before a sink."""

    def __init__(self, sinks: Sequence[Sink], kinds: Mapping[str, Kind] | None = None, room: int = 1_000) -> None:
        self._kinds = kinds or {}
        self._queues = [_Queue(sink, room) for sink in sinks]

    @property
    def lost(self) -> int:
        """Lines that a sink did not get."""
        return sum(queue.lost for queue in self._queues)

    def say(self, event_kind: str, run_id: str, details: Mapping[str, Any] | None = None) -> None:
        """Queue a line; never waits for a sink, never raises."""
        kind = self._kinds.get(event_kind, OTHER)
        line = {
            "event_kind": event_kind,
            "phase": str(kind.phase),
            "outcome": str(kind.outcome),
            "severity": kind.severity.name,
            "run_id": run_id,
            "details": dict(details or {}),
        }
        for queue in self._queues:
            queue.put(line)

    def close(self, within_s: float) -> int:
        """Give every sink so many seconds for what waits before it. Lines that a sink did not get."""
        left = sum(queue.left(within_s) for queue in self._queues)
        return self.lost + left


class _Queue:
    """Lines before one sink, drained by a thread of its own, which ends with the process."""

    def __init__(self, sink: Sink, room: int) -> None:
        self._sink, self._room = sink, room
        self._lines: deque[Line] = deque()
        self._at_work = False
        self._changed = threading.Condition()
        self.lost = 0
        threading.Thread(target=self._drain, name="telemetry", daemon=True).start()

    def put(self, line: Line) -> None:
        with self._changed:
            if len(self._lines) >= self._room:
                self.lost += 1
                if not self._made_room(line["severity"]):
                    return
            self._lines.append(line)
            self._changed.notify_all()

    def left(self, within_s: float) -> int:
        """Lines that are still not written after so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._at_work, within_s)
            return len(self._lines) + self._at_work

    def _made_room(self, severity: str) -> bool:
        """Whether a line was given up for one of this severity."""
        for at, line in enumerate(self._lines):
            if line["severity"] == Severity.DEBUG.name:
                del self._lines[at]
                return True
        if severity != Severity.DEBUG.name:
            self._lines.popleft()
        return severity != Severity.DEBUG.name

    def _drain(self) -> None:
        while True:
            with self._changed:
                self._at_work = False
                self._changed.notify_all()
                while not self._lines:
                    self._changed.wait()
                line, self._at_work = self._lines.popleft(), True
            try:
                self._sink(line)
            except Exception:  # noqa: BLE001 - whatever a sink raises is its own affair
                with self._changed:
                    self.lost += 1


def log_to(name: str) -> Sink:
    """A sink that writes lines into the process's log, under a name such as `assay.sr`."""
    log = logging.getLogger(name)

    def sink(line: Line) -> None:
        told = " ".join(f"{key}={value}" for key, value in line["details"].items() if isinstance(value, str | int | float))
        words = (line["severity"], line["phase"], line["event_kind"], line["outcome"], line["run_id"], told)
        log.log(Severity[line["severity"]].value, "%s %s %s %s run %s %s", *words)

    return sink
