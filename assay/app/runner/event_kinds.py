"""The events of the Scenario Runner that operators see: the phase of each, how it went, and how much it matters."""

from __future__ import annotations

from typing import Final

from assay.app.telemetry import Kind, Outcome, Phase, Severity

_DEBUG, _WARN, _ERROR = Severity.DEBUG, Severity.WARN, Severity.ERROR

KINDS: Final[dict[str, Kind]] = {
    "RUN_REQUEST_RECEIVED": Kind(Phase.INGRESS),
    "RUN_REQUEST_REJECTED": Kind(Phase.INGRESS, Outcome.FAIL, _WARN),
    "DUPLICATE_REQUEST_OBSERVED": Kind(Phase.INGRESS, Outcome.SKIP, _DEBUG),
    "RUN_ACCEPTED": Kind(Phase.INGRESS),
    "LEASE_ACQUIRED": Kind(Phase.AUTHORITY, severity=_DEBUG),
    "LEASE_BUSY": Kind(Phase.AUTHORITY, Outcome.RETRY, _WARN),
    "LEASE_LOST": Kind(Phase.AUTHORITY, Outcome.FAIL, _ERROR),
    "SUPERSEDES": Kind(Phase.PLAN),
    "PLAN_COMMITTED": Kind(Phase.PLAN),
    "PLAN_FAILED": Kind(Phase.PLAN, Outcome.FAIL, _ERROR),
    "GOV_POLICY_REV": Kind(Phase.PLAN, severity=_DEBUG),
    "POLICY_REV_ACTIVATED": Kind(Phase.COMMIT),
    "POLICY_REV_REFUSED": Kind(Phase.COMMIT, Outcome.FAIL, _WARN),
    "ENGINE_ATTEMPT_LAUNCH_REQUESTED": Kind(Phase.ENGINE),
    "ENGINE_ATTEMPT_FINISHED": Kind(Phase.ENGINE),
    "ENGINE_FAILED": Kind(Phase.ENGINE, Outcome.FAIL, _ERROR),
    "EVIDENCE_WAITING": Kind(Phase.EVIDENCE, Outcome.WAITING, _WARN),
    "EVIDENCE_FAIL": Kind(Phase.EVIDENCE, Outcome.FAIL, _ERROR),
    "EVIDENCE_CONFLICT": Kind(Phase.EVIDENCE, Outcome.CONFLICT, _ERROR),
    "READY_COMMITTED": Kind(Phase.COMMIT),
    "READY_PUBLISHED": Kind(Phase.COMMIT),
    "READY_PUBLISH_FAILED": Kind(Phase.COMMIT, Outcome.FAIL, _ERROR),
    "MARKS_PUBLISHED": Kind(Phase.COMMIT),
    "TERMINAL_PUBLISHED": Kind(Phase.COMMIT),
    "TERMINAL_PUBLISH_FAILED": Kind(Phase.COMMIT, Outcome.FAIL, _ERROR),
}
