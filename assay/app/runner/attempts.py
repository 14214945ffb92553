"""Attempts of the engine for one run: counted in its record, launched once each, never more than the plan allows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from assay.app.runner.documents import refuse_malformed
from assay.app.runner.engine import Attempt, Engine, Outcome
from assay.app.runner.hold import Clock, Hold
from assay.app.runner.plan import Plan
from assay.app.runner.request import RunRequest
from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.contracts import instants
from assay.contracts.canonical import canonical
from assay.contracts.ids import attempt_id
from assay.contracts.reasons import Reason

FINISHED = "ENGINE_ATTEMPT_FINISHED"
SUCCEEDED, FAILED = "SUCCEEDED", "FAILED"


class Attempts:
    """The attempts of a run that is held."""

    def __init__(self, hold: Hold, store: ObjectStore, engine: Engine, request: RunRequest, clock: Clock) -> None:
        self._hold, self._store, self._engine, self._request, self._clock = hold, store, engine, request, clock

    @property
    def finished(self) -> list[Mapping[str, Any]]:
        """Details of the attempts that ended, in order."""
        return [event["details"] for event in self._hold.record.events if event["event_kind"] == FINISHED]

    @property
    def succeeded(self) -> bool:
        """Whether one of them made the world."""
        return any(details["outcome"] == SUCCEEDED for details in self.finished)

    def make(self, plan: Plan) -> bool:
        """Make the next attempt; False, and the run has FAILED, when the plan allows none. Raises Stop(LEASE_LOST)."""
        number = len(self.finished) + 1
        if number > plan.attempt_limit:
            why = (
                f"{plan.attempt_limit} of {plan.attempt_limit} attempts failed, the last one by {self.finished[-1].get('reason_code', '')}"
            )
            self._hold.advance("ENGINE_FAILED", {"reason_code": Reason.ATTEMPT_LIMIT_EXCEEDED.value, "why": why})
            return False
        attempt = self._attempt(number)
        self._hold.advance("ENGINE_ATTEMPT_LAUNCH_REQUESTED", {"attempt_no": number, "attempt_id": attempt.attempt_id})
        document = self._launched(attempt)
        told = ("attempt_no", "attempt_id", "outcome", "reason_code")
        self._hold.advance(FINISHED, {name: value for name, value in document.items() if name in told})
        return True

    def _launched(self, attempt: Attempt) -> dict[str, Any]:
        """The document of an attempt, which is launched unless somebody did before. A launch whose end nobody knows has failed."""
        started_us = self._clock()
        try:
            self._hold.sure()
            self._store.create(f"{_folder(attempt)}/launched", attempt.attempt_id.encode() + b"\n")
        except ObjectExists:
            try:
                return json.loads(self._store.read(_document_key(attempt)))  # type: ignore[no-any-return]
            except FileNotFoundError:
                outcome = Outcome(Reason.ENGINE_OUTCOME_UNKNOWN, "its holder ended before it did")
        else:
            outcome = self._engine.invoke(attempt, self._hold.keep)
        return self._written(attempt, outcome, started_us)

    def _written(self, attempt: Attempt, outcome: Outcome, started_us: int) -> dict[str, Any]:
        logs = {}
        for name, data in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
            key = f"sr/engine_attempt_logs/run_id={attempt.run_id}/attempt_no={attempt.attempt_no}/{name}.log"
            self._store.replace(key, data)
            logs[f"{name}_ref"] = key
        ended_us = max(self._clock(), started_us)
        document = {
            "run_id": attempt.run_id,
            "attempt_id": attempt.attempt_id,
            "attempt_no": attempt.attempt_no,
            "outcome": FAILED if outcome.reason else SUCCEEDED,
            "started_at_utc": instants.text(started_us),
            "ended_at_utc": instants.text(ended_us),
            "duration_ms": (ended_us - started_us) // 1_000,
            "invocation": attempt.invocation(),
            "logs_ref": logs,
            **({"reason_code": outcome.reason.value} if outcome.reason else {}),
        }
        refuse_malformed("sr_engine_attempt.v1", document)
        self._hold.sure()
        self._store.create(_document_key(attempt), canonical(document) + b"\n")
        return document

    def _attempt(self, number: int) -> Attempt:
        asked = self._request
        pins = (asked.manifest_fingerprint, asked.parameter_hash, asked.seed, asked.scenario_id)
        return Attempt(asked.run_id, number, attempt_id(asked.run_id, number), *pins, asked.engine_run_root)


def _folder(attempt: Attempt) -> str:
    return f"sr/engine_attempts/run_id={attempt.run_id}/attempt_no={attempt.attempt_no}"


def _document_key(attempt: Attempt) -> str:
    return f"{_folder(attempt)}/attempt.json"
