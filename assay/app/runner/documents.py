"""The documents of a run beside its record: some are written once, and the status follows the record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from assay.app.runner.record import record_ref, unshown
from assay.app.runner.states import RunState, Standing
from assay.app.stores.objects import ObjectChanged, ObjectExists, ObjectStore
from assay.contracts.canonical import canonical
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.json_schema import fault_of
from assay.contracts.reasons import Reason


class Kind(NamedTuple):
    """A kind of document that is written once: its folder, its schema, and the code for a second, different one."""

    folder: str
    schema: str
    drift: Reason

    def key(self, run_id: str) -> str:
        """Where the document of a run is."""
        return f"sr/{self.folder}/{run_id}.json"


PLAN: Final = Kind("run_plan", "sr_run_plan.v1", Reason.PLAN_DRIFT)
FACTS_VIEW: Final = Kind("run_facts_view", "sr_facts_view.v1", Reason.FACTS_VIEW_DRIFT)
READY_SIGNAL: Final = Kind("ready_signal", "run_ready.v1", Reason.READY_SIGNAL_DRIFT)
TERMINAL_SIGNAL: Final = Kind("terminal_signal", "run_terminal_signal.v1", Reason.TERMINAL_SIGNAL_DRIFT)
QUARANTINE: Final = Kind("quarantine", "sr_quarantine.v1", Reason.QUARANTINE_DRIFT)
_STATUS: Final = "sr/run_status"


def status_ref(run_id: str) -> str:
    """Key of a run's status."""
    return f"{_STATUS}/{run_id}.json"


def write_once(store: ObjectStore, kind: Kind, run_id: str, value: Mapping[str, Any]) -> None:
    """Write a document; the same one again changes nothing.

    Raises Quarantine(SCHEMA_FAIL), Stop(PLAN_DRIFT, FACTS_VIEW_DRIFT, READY_SIGNAL_DRIFT) when another one is there, Retry(STORE_SILENT).
    """
    refuse_malformed(kind.schema, value)
    key, data = kind.key(run_id), canonical(dict(value)) + b"\n"
    try:
        store.create(key, data)
    except ObjectExists:
        held = _read(store, key)
        if held is None:
            raise unshown(key) from None
        if held != data:
            raise drift(kind, run_id) from None


def read_kept(store: ObjectStore, kind: Kind, run_id: str) -> dict[str, Any] | None:
    """A document of a run; None where there is none. Raises Stop(RUN_RECORD_DAMAGED) for one that is not of its schema."""
    key = kind.key(run_id)
    try:
        value: dict[str, Any] = json.loads(store.read(key))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise _damaged(key, str(error)) from None
    fault = fault_of(kind.schema, value)
    if fault is not None:
        raise _damaged(key, str(fault))
    return value


def drift(kind: Kind, run_id: str) -> Stop:
    """The refusal of a second, different document."""
    remedy = "A run keeps its plan, world and configuration; start another run."
    return Stop(kind.drift, "another document of this run was written before", where=kind.key(run_id), remedy=remedy)


def refuse_malformed(schema: str, value: Any) -> None:
    """Raises Quarantine(SCHEMA_FAIL) for a value that is not of a schema."""
    fault = fault_of(schema, value)
    if fault is not None:
        raise Quarantine(Reason.SCHEMA_FAIL, f"the document is not valid: {fault}", where=f"{schema} {fault.path}")


def status_of(run_id: str, standing: Standing) -> dict[str, Any]:
    """The status that a record says; it has to say one."""
    reason = {"reason_code": standing.reason} if standing.reason else {}
    facts = {"facts_view_ref": FACTS_VIEW.key(run_id)} if standing.state is RunState.READY else {}
    return {
        "run_id": run_id,
        "state": str(standing.state),
        "updated_at_utc": standing.ts_utc,
        "record_ref": record_ref(run_id),
        "record_number": standing.number,
        **reason,
        **facts,
    }


def write_status(store: ObjectStore, run_id: str, standing: Standing, *, rebuilt: bool = False) -> bool:
    """Bring the status to what the record says; whether it had to be written.

    One of a later event stays, unless it is `rebuilt` from a whole record. One that cannot be read is written again.
    """
    status = status_of(run_id, standing)
    refuse_malformed("sr_run_status.v1", status)
    data = canonical(status) + b"\n"
    refused: list[bytes | None] = []
    while True:
        held = _read(store, status_ref(run_id))
        if held == data or (_number(held) > standing.number and not rebuilt):
            store.make_durable(_STATUS)
            return False
        try:
            store.swap(status_ref(run_id), data, held)
        except ObjectChanged:
            if held in refused:
                raise unshown(status_ref(run_id)) from None
            refused.append(held)
            continue
        return True


def read_status(store: ObjectStore, run_id: str) -> dict[str, Any] | None:
    """The status as it stands in the store; None where there is none, or one that cannot be read."""
    held = _read(store, status_ref(run_id))
    return json.loads(held) if held is not None and _number(held) >= 0 else None


def _read(store: ObjectStore, key: str) -> bytes | None:
    try:
        return store.read(key)
    except FileNotFoundError:
        return None


def _number(status: bytes | None) -> int:
    try:
        value = json.loads(status or b"")
    except (ValueError, RecursionError):
        return -1
    return int(value["record_number"]) if fault_of("sr_run_status.v1", value) is None else -1


def _damaged(key: str, why: str) -> Stop:
    return Stop(Reason.RUN_RECORD_DAMAGED, f"a document cannot be read: {why}", where=key, remedy="Restore it from a copy.")
