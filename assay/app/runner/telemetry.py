"""What operators see of runs as they go: never in the way of truth. A sink that hangs or fails loses its own lines, and nothing waits.

A line is lost when the queue is full: DEBUG first, then the oldest.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

log = logging.getLogger("assay.sr")
Sink = Callable[[Mapping[str, Any]], object]


class Severity(IntEnum):
    """How much a line matters."""

    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40


#: event → severity, where it is not INFO
_SEVERITY: Final = {
    **dict.fromkeys(("LEASE_ACQUIRED", "GOV_POLICY_REV", "DUPLICATE_REQUEST_OBSERVED"), Severity.DEBUG),
    **dict.fromkeys(("EVIDENCE_WAITING", "LEASE_BUSY"), Severity.WARN),
    **dict.fromkeys(("PLAN_FAILED", "ENGINE_FAILED", "EVIDENCE_FAIL", "EVIDENCE_CONFLICT"), Severity.ERROR),
    **dict.fromkeys(("READY_PUBLISH_FAILED", "TERMINAL_PUBLISH_FAILED"), Severity.ERROR),
}


class Telemetry:
    """A bounded queue before some sinks, drained by a thread of its own. `lost`: lines that no sink got."""

    def __init__(self, sinks: Sequence[Sink], room: int = 1_000) -> None:
        self._sinks, self._room = tuple(sinks), room
        self._lines: deque[dict[str, Any]] = deque()
        self._changed = threading.Condition()
        self.lost = 0
        if self._sinks:
            threading.Thread(target=self._drain, name="sr-telemetry", daemon=True).start()

    def say(self, event_kind: str, run_id: str, details: Mapping[str, Any] | None = None) -> None:
        """Queue a line; never waits for a sink, never raises."""
        if not self._sinks:
            return
        severity = _SEVERITY.get(event_kind, Severity.INFO)
        line = {"event_kind": event_kind, "severity": severity.name, "run_id": run_id, "details": dict(details or {})}
        with self._changed:
            if len(self._lines) >= self._room:
                self.lost += 1
                if not self._made_room(severity):
                    return
            self._lines.append(line)
            self._changed.notify()

    def _made_room(self, severity: Severity) -> bool:
        """Whether a line was given up for one of this severity."""
        for at, line in enumerate(self._lines):
            if line["severity"] == Severity.DEBUG.name:
                del self._lines[at]
                return True
        if severity is not Severity.DEBUG:
            self._lines.popleft()
        return severity is not Severity.DEBUG

    def _drain(self) -> None:
        while True:
            with self._changed:
                while not self._lines:
                    self._changed.wait()
                line = self._lines.popleft()
            for sink in self._sinks:
                try:
                    sink(line)
                except Exception:  # noqa: BLE001 - whatever a sink raises is its own affair
                    self.lost += 1


def log_sink(line: Mapping[str, Any]) -> None:
    """A line of the process's log."""
    reason = line["details"].get("reason_code", "")
    log.log(logging.INFO, "%s %s run %s %s", line["severity"], line["event_kind"], line["run_id"], reason)
