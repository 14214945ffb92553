"""Envelopes for tests of the gate, and a run to admit them into."""

from __future__ import annotations

from typing import Any

import msgspec

from assay.app.gate.admission import Admissible, Examiner, RefusedEvent
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.row_examples import ROW_EXAMPLES, row_examples
from assay.app.gate.run_names import ANY_NAMES, RunNames
from assay.contracts.engine_events import ENGINE_EVENTS

SCOPE: dict[str, str | int] = {
    "platform_run_id": "platform_20260101T000000Z",
    "scenario_run_id": "5c" * 16,
    "manifest_fingerprint": "ab" * 32,
    "parameter_hash": "cd" * 32,
    "scenario_id": "baseline",
    "seed": 7,
    "run_id": "ef" * 16,
}
NOW_US = 1_767_225_600_000_000  # 2026-01-01
PAYMENT = {"kind": "purchase", "amount_minor": 1250, "currency": "EUR", "entities": {"customer": "596", "terminal": "3156"}}
CONTEXT = {"entities": {"merchant": "m-1"}, "attributes": {"city": "Köln"}}
LABEL = {"subject_event_id": "e-1", "subject_ts_utc": "2018-04-01T00:00:31.000000Z", "label": "FRAUD", "source": "desk"}


def event(event_id: str | None = "e-1", event_type: str = "transaction", payload: Any = None, **changes: Any) -> dict[str, Any]:
    """A good envelope with changes; a change to None takes the key away."""
    default = {"context_fact": CONTEXT, "label_assertion": LABEL}.get(event_type, PAYMENT)
    day = "08" if event_type == "label_assertion" else "01"
    made = {
        "event_id": event_id,
        "event_type": event_type,
        "schema_version": "v1",
        "ts_utc": f"2018-04-{day}T00:00:31.000000Z",
        **SCOPE,
        "payload": default if payload is None else payload,
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def row(output_id: str, **changes: Any) -> dict[str, Any]:
    """A good row of a generated world in its envelope, with changes of the row."""
    made: dict[str, Any] = row_examples(SCOPE, traffic_of(output_id), NOW_US)[ROW_EXAMPLES[ENGINE_EVENTS[output_id].record]]
    return {**made, "payload": {**made["payload"], **changes}}


def traffic_of(event_type: Any) -> str:
    """A traffic whose runs admit events of this type; empty for payments, facts and labels."""
    found = ENGINE_EVENTS.get(event_type)
    return "" if found is None else str(found.traffic or "fraud")


def paid(**changes: Any) -> dict[str, Any]:
    """A payment's payload with changes."""
    return {**PAYMENT, **changes}


def raw(document: Any) -> bytes:
    """As it comes over HTTP."""
    return msgspec.json.encode(document)


def examined(document: Any, names: RunNames = ANY_NAMES, traffic: str = "") -> Admissible | RefusedEvent:
    """One item, a document or its bytes, through the examiner of SCOPE's run, which streams a generated world if it has a traffic."""
    given = document if isinstance(document, bytes) else raw(document)
    return Examiner(shipped_admission_policy(traffic), SCOPE, names).examine(given, NOW_US, 0)


def admissible(document: Any) -> Admissible:
    """An item that has to be admissible."""
    item = examined(document)
    assert isinstance(item, Admissible), item
    return item
