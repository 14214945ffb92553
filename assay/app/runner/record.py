"""The record of a run: event n is an object of its own that is created once. Who creates the next number has seen all before it.

So a record is one sequence, whoever writes it. The fence of an event is that of its writer's lease. A holder that was overtaken finds its
number taken by an event of a higher fence, and writes nothing more. There is no listing: the next number is read until it is missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from assay.app.runner.states import LEASE_ACQUIRED, Standing, after
from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.contracts import instants
from assay.contracts.canonical import canonical, hex64
from assay.contracts.errors import Quarantine, Retry, Stop
from assay.contracts.json_schema import fault_of
from assay.contracts.reasons import Reason

_FIELDS = frozenset({"event_id", "event_kind", "run_id", "ts_utc", "number", "fence", "details"})


def record_ref(run_id: str) -> str:
    """Key prefix of a run's record."""
    return f"sr/run_record/{run_id}"


def event_key(run_id: str, number: int) -> str:
    """Key of an event; the first is number 0."""
    return f"{record_ref(run_id)}/{number:06d}.json"


def event_id(event_kind: str, run_id: str, details: Mapping[str, Any]) -> str:
    """hex64 of what happened, without the time: the same event is recorded once."""
    return hex64({"event_kind": event_kind, "run_id": run_id, "details": dict(details)})


class Record:
    """One run's record as far as it was read. `events`: in order; `standing`: what they say together."""

    def __init__(self, store: ObjectStore, run_id: str) -> None:
        self._store, self.run_id = store, run_id
        self.events: list[dict[str, Any]] = []
        self.standing = Standing()
        self._seen: set[str] = set()

    def read_on(self) -> Record:
        """Read what was written since. Raises Stop(RUN_RECORD_DAMAGED, RUN_STATE_FORBIDDEN)."""
        before = len(self.events)
        while True:
            key = event_key(self.run_id, len(self.events))
            try:
                data = self._store.read(key)
            except FileNotFoundError:
                break
            self._take(self._checked(data, key))
        if len(self.events) > before:
            self._store.make_durable(record_ref(self.run_id))  # its writer may have ended before it flushed
        return self

    def find(self, event_kind: str) -> dict[str, Any] | None:
        """The first event of a kind that was read."""
        return next((event for event in self.events if event["event_kind"] == event_kind), None)

    def append(self, event_kind: str, details: Mapping[str, Any], now_us: int, fence: int | None = None) -> str:
        """Record an event under a fence, or as a note that advances nothing and takes the fence it finds. Gives the event's id.

        An event that is there already is not written again. Raises Stop(LEASE_LOST) when a higher fence stands in the record,
        Stop(RUN_STATE_FORBIDDEN) for a move that the state machine does not have, Quarantine(SCHEMA_FAIL), Retry(STORE_SILENT), and what
        `read_on` raises.
        """
        name = event_id(event_kind, self.run_id, details)
        while True:
            own = self.standing.fence if fence is None else fence
            if own < self.standing.fence:
                raise lost(self.run_id, f"fence {self.standing.fence} stands in the record, ours is {own}")
            if name in self._seen:
                return name
            event = {
                "event_id": name,
                "event_kind": event_kind,
                "run_id": self.run_id,
                "ts_utc": instants.text(now_us),
                "number": len(self.events),
                "fence": own,
                "details": dict(details),
            }
            _refuse_malformed(event)
            after(self.standing, event)
            try:
                self._store.create(event_key(self.run_id, len(self.events)), canonical(event) + b"\n")
            except ObjectExists:
                known = len(self.events)
                if len(self.read_on().events) == known:
                    raise unshown(event_key(self.run_id, known)) from None
                continue
            self._take(event)
            return name

    def _take(self, event: dict[str, Any]) -> None:
        self.standing = after(self.standing, event)
        self.events.append(event)
        self._seen.add(event["event_id"])

    def _checked(self, data: bytes, key: str) -> dict[str, Any]:
        """An event that was written here, by a writer who knew all events before. Raises Stop(RUN_RECORD_DAMAGED)."""
        try:
            event: dict[str, Any] = json.loads(data)
            if not isinstance(event, dict) or event.keys() != _FIELDS or canonical(event) + b"\n" != data:
                raise ValueError("it is not of the form of an event")
            if event["event_id"] != event_id(event["event_kind"], self.run_id, event["details"]):
                raise ValueError("its id is not that of its content")
            if (event["run_id"], event["number"]) != (self.run_id, len(self.events)):
                raise ValueError("it is of another run or number")
            self._refuse_fence(event)
        except (ValueError, KeyError, TypeError, RecursionError, Quarantine) as error:
            remedy = "Restore the record from a copy; no run goes on from a damaged one."
            raise Stop(Reason.RUN_RECORD_DAMAGED, f"an event cannot be read: {error}", where=key, remedy=remedy) from None
        return event

    def _refuse_fence(self, event: Mapping[str, Any]) -> None:
        fence, highest = event["fence"], self.standing.fence
        if type(fence) is not int or fence < highest:
            raise ValueError(f"its fence is {fence}, behind fence {highest}")
        if fence > highest and event["event_kind"] != LEASE_ACQUIRED:
            raise ValueError(f"fence {fence} begins without {LEASE_ACQUIRED}")


def lost(run_id: str, why: str) -> Stop:
    """The refusal of a holder that holds no longer."""
    remedy = "Another process goes on with this run. Ask with `assay sr show`, or submit the same request again."
    return Stop(Reason.LEASE_LOST, f"the lease of the run is lost: {why}", where=record_ref(run_id), remedy=remedy)


def unshown(key: str) -> Retry:
    """The refusal of a store that says that an object is there, or another one than before, and does not show it."""
    what = "the object store refuses a write for an object that it does not show"
    return Retry(Reason.STORE_SILENT, what, where=key, remedy="Ask again; if it stays so, the store has no conditional writes.")


def _refuse_malformed(event: Mapping[str, Any]) -> None:
    fault = fault_of("sr_run_event.v1", event)
    if fault is not None:
        raise Quarantine(Reason.SCHEMA_FAIL, f"the event is not valid: {fault}", where=fault.path, remedy="This is a defect of assay.")
