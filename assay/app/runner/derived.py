"""What follows from a record, and can be written again from it: the status, and notices of a run that was set aside or ended."""

from __future__ import annotations

import hashlib
from typing import Any

from assay.app.runner.documents import QUARANTINE, TERMINAL_SIGNAL, status_of, status_ref, write_once, write_status
from assay.app.runner.record import Record, record_ref
from assay.app.runner.states import RunState
from assay.app.stores.objects import ObjectStore
from assay.contracts.canonical import canonical
from assay.contracts.ids import terminal_key


def follow(store: ObjectStore, record: Record, *, rebuilt: bool = False) -> bool:
    """Write what follows from a record, where it does not stand yet; whether the status had to be written."""
    standing, run_id = record.standing, record.run_id
    if standing.state is None:
        return False
    written = write_status(store, run_id, standing, rebuilt=rebuilt)
    if standing.state in (RunState.FAILED, RunState.QUARANTINED):
        write_once(store, TERMINAL_SIGNAL, run_id, terminal_signal(record))
    if standing.state is RunState.QUARANTINED:
        write_once(store, QUARANTINE, run_id, _quarantine(record))
    return written


def terminal_signal(record: Record) -> dict[str, Any]:
    """The signal that a run ended without READY (`run_terminal_signal.v1`): the same one however often it is made."""
    standing, run_id = record.standing, record.run_id
    key = terminal_key(run_id, str(standing.state), hashlib.sha256(canonical(status_of(run_id, standing))).hexdigest())
    accepted = record.find("RUN_ACCEPTED")
    assert accepted is not None
    intent = accepted["details"]["intent"]
    return {
        "event_id": key,
        "event_type": "run_terminal_signal",
        "ts_utc": standing.ts_utc,
        "pins": {
            "platform_run_id": accepted["details"]["platform_run_id"],
            "scenario_run_id": run_id,
            **{name: intent[name] for name in ("manifest_fingerprint", "parameter_hash", "scenario_id", "seed")},
        },
        "run_id": run_id,
        "status_state": str(standing.state),
        "reason_code": standing.reason,
        "status_ref": status_ref(run_id),
        "record_ref": record_ref(run_id),
        "reemit_key": key,
    }


def _quarantine(record: Record) -> dict[str, Any]:
    standing, details = record.standing, record.events[record.standing.number]["details"]
    return {
        "run_id": record.run_id,
        "reason": standing.reason,
        "missing": list(details.get("missing", ())),
        "why": str(details.get("why", ""))[:8192],
        "record_ref": record_ref(record.run_id),
        "status_ref": status_ref(record.run_id),
        "ts_utc": standing.ts_utc,
    }
