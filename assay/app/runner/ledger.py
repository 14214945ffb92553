"""The Scenario Runner's ledger below `sr/`: a plan and facts that never change, an append-only record, a status that only moves on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Final

from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.contracts import instants
from assay.contracts.canonical import canonical, hex64
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class RunState(StrEnum):
    """Where a run stands."""

    OPEN = "OPEN"
    PLANNED = "PLANNED"
    READY = "READY"
    FAILED = "FAILED"


#: state → states it may move to; a state may always be written again
MOVES: Final[dict[RunState, frozenset[RunState]]] = {
    RunState.OPEN: frozenset({RunState.PLANNED, RunState.FAILED}),
    RunState.PLANNED: frozenset({RunState.READY, RunState.FAILED}),
    RunState.READY: frozenset(),
    RunState.FAILED: frozenset(),
}

_STATUS: Final = "sr/run_status"


class Ledger:
    """One run's ledger. Writing the same thing again changes nothing; what cannot be read is Stop(RUN_STATE_FORBIDDEN)."""

    def __init__(self, store: ObjectStore, scenario_run_id: str) -> None:
        self._store = store
        self._id = scenario_run_id

    @property
    def facts_view_ref(self) -> str:
        """Key of the facts view: what READY refers to."""
        return f"sr/run_facts_view/{self._id}.json"

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        """Write once. Raises Stop(PLAN_DRIFT) when another plan stands there."""
        self._write_once(f"sr/run_plan/{self._id}.json", plan)

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        """Write once. Raises Stop(PLAN_DRIFT) when other facts stand there."""
        self._write_once(self.facts_view_ref, facts)

    def record(self, event_kind: str, details: Mapping[str, Any], now_us: int) -> str:
        """Append an event. Its id is its content without the time, so the same event is recorded once; gives the id.

        Several processes may record at a time: whose number is taken meanwhile looks again.
        """
        event_id = hex64({"event_kind": event_kind, "run_id": self._id, "details": dict(details)})
        body = {
            "event_id": event_id,
            "event_kind": event_kind,
            "run_id": self._id,
            "ts_utc": instants.text(now_us),
            "details": dict(details),
        }
        while True:
            keys = list(self._store.keys(self._record))
            if event_id in (self._event(key)["event_id"] for key in keys):
                self._store.make_durable(self._record)
                return event_id
            number = int(PurePosixPath(keys[-1]).stem) + 1 if keys else 0
            with suppress(ObjectExists):
                self._store.create(f"{self._record}/{number:06d}.json", canonical(body) + b"\n")
                return event_id

    def events(self) -> list[dict[str, Any]]:
        """Everything recorded, in order."""
        return [self._event(key) for key in self._store.keys(self._record)]

    def state(self) -> RunState | None:
        """Where the run stands; None before it is opened."""
        try:
            return RunState(self._document(self._status_key, "state")["state"])
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise _unreadable(self._status_key, error) from None

    def move(self, state: RunState, now_us: int, reason: str = "") -> None:
        """Write the status. Raises Stop(RUN_STATE_FORBIDDEN) for a move the state machine does not have."""
        at = self.state()
        if at == state:
            self._store.make_durable(_STATUS)
            return
        allowed = frozenset({RunState.OPEN}) if at is None else MOVES[at]
        if state not in allowed:
            what = f"a run that is {at} cannot become {state}"
            raise Stop(Reason.RUN_STATE_FORBIDDEN, what, where=self._status_key, remedy="Start another run.")
        status = {"run_id": self._id, "state": state.value, "updated_at_utc": instants.text(now_us), "reason": reason}
        self._store.replace(self._status_key, canonical(status) + b"\n")

    @property
    def _record(self) -> str:
        return f"sr/run_record/{self._id}"

    def _event(self, key: str) -> dict[str, Any]:
        return self._document(key, "event_id")

    def _document(self, key: str, field: str) -> dict[str, Any]:
        """A document of the ledger that has this field. Raises FileNotFoundError, or Stop(RUN_STATE_FORBIDDEN) for a damaged one."""
        try:
            document: dict[str, Any] = json.loads(self._store.read(key))
            document[field]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _unreadable(key, error) from None
        return document

    @property
    def _status_key(self) -> str:
        return f"{_STATUS}/{self._id}.json"

    def _write_once(self, key: str, value: Mapping[str, Any]) -> None:
        data = canonical(dict(value)) + b"\n"
        try:
            self._store.create(key, data)
        except ObjectExists:
            if self._store.read(key) != data:
                what = "this run was planned with other content"
                raise Stop(
                    Reason.PLAN_DRIFT, what, where=key, remedy="A run keeps its world and configuration; start another run."
                ) from None


def _unreadable(key: str, error: Exception) -> Stop:
    return Stop(Reason.RUN_STATE_FORBIDDEN, f"the ledger cannot be read: {error}", where=key, remedy="Restore it, or start another run.")
