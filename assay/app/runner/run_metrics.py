"""The metrics of the Scenario Runner, counted from the events that operators see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from assay.app import metrics
from assay.app.telemetry import Line

#: runs whose times are remembered at once; the oldest goes first
REMEMBERED: Final = 10_000
_FAILED: Final = frozenset({"PLAN_FAILED", "ENGINE_FAILED", "EVIDENCE_FAIL"})
_ENDED: Final = _FAILED | {"EVIDENCE_CONFLICT", "READY_COMMITTED"}
_COUNTED: Final = {
    "RUN_ACCEPTED": metrics.SR_ACCEPTED,
    "READY_COMMITTED": metrics.SR_READY,
    "EVIDENCE_CONFLICT": metrics.SR_QUARANTINED,
    "READY_PUBLISH_FAILED": metrics.SR_PUBLISH_FAILURES,
    "LEASE_LOST": metrics.SR_LEASES_LOST,
    "POLICY_REV_ACTIVATED": metrics.SR_POLICY_REVISIONS,
}


class RunMetrics:
    """A sink. `monotonic_s` gives seconds; times are those between two lines of a run in this process."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._since_s: dict[tuple[str, str], float] = {}

    def __call__(self, line: Line) -> None:
        """Count a line."""
        kind, run_id, details = line["event_kind"], line["run_id"], line["details"]
        if kind in _COUNTED:
            _COUNTED[kind].inc()
        if kind == "RUN_REQUEST_RECEIVED":
            metrics.SR_REQUESTS.add_one(1, details["kind"])
        elif kind == "RUN_REQUEST_REJECTED":
            metrics.SR_REJECTED.add_one(1, details["reason_code"])
        elif kind == "POLICY_REV_REFUSED":
            metrics.SR_POLICY_REFUSED.add_one(1, details["reason_code"])
        elif kind in _FAILED:
            metrics.SR_FAILED.add_one(1, details["reason_code"])
        self._times(kind, run_id, str(details.get("outcome", "")))

    def _times(self, kind: str, run_id: str, outcome: str) -> None:
        if kind == "RUN_ACCEPTED":
            self._begin("run", run_id)
        elif kind == "EVIDENCE_WAITING" and self._begin("wait", run_id):
            metrics.SR_WAITING.inc()
        elif kind == "ENGINE_ATTEMPT_LAUNCH_REQUESTED":
            self._begin("attempt", run_id)
        elif kind == "ENGINE_ATTEMPT_FINISHED":
            metrics.SR_ATTEMPTS.add_one(1, outcome)
            if (took_s := self._took_s("attempt", run_id)) is not None:
                metrics.SR_ATTEMPT_SECONDS.observe(took_s)
        elif kind in _ENDED:
            if (took_s := self._took_s("wait", run_id)) is not None:
                metrics.SR_WAIT_SECONDS.observe(took_s)
            if (took_s := self._took_s("run", run_id)) is not None and kind == "READY_COMMITTED":
                metrics.SR_READY_SECONDS.observe(took_s)

    def _begin(self, what: str, run_id: str) -> bool:
        """Whether this is the first line of its kind for the run."""
        if (what, run_id) in self._since_s:
            return False
        if len(self._since_s) >= REMEMBERED:
            del self._since_s[next(iter(self._since_s))]
        self._since_s[what, run_id] = self._monotonic_s()
        return True

    def _took_s(self, what: str, run_id: str) -> float | None:
        began_s = self._since_s.pop((what, run_id), None)
        return None if began_s is None else max(0.0, self._monotonic_s() - began_s)
