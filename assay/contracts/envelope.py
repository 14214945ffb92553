"""The closed envelope at the HTTP border: event types, their classes, and one pure check.

The fields and their rules are the JSON Schemas `envelope.v1` and, per event type, the payload's. The gate reads bodies with a
compiled reader of its own; `check` is the definition both are held to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from assay.contracts import instants
from assay.contracts.canonical import digest
from assay.contracts.currencies import is_currency
from assay.contracts.engine_events import ENGINE_EVENTS, local_time_us, number_of
from assay.contracts.errors import Quarantine
from assay.contracts.handles import CONTEXT, LABELS, TRAFFIC
from assay.contracts.json_schema import Fault, fault_of
from assay.contracts.pins import PIN_NAMES
from assay.contracts.reasons import Reason
from assay.contracts.texts import NO_BLANKS, NO_CONTROL
from assay.contracts.truth_names import gate_truth_names, plain_name

SCHEMA_VERSION: Final = "v1"


class EventType(NamedTuple):
    """What an event type means: its class, the topic it ends on, the Avro record it becomes, and who needs `run_id`."""

    event_class: str
    handle: str
    record: str
    needs_run_id: bool

    @property
    def payload_schema(self) -> str:
        """Name of the payload's JSON Schema."""
        return f"{self.record}.{SCHEMA_VERSION}"


_PAYMENT: Final = EventType("traffic", TRAFFIC, "payment", True)

#: event type → meaning. Both kinds of payment ask for a decision. A row of a generated world has the id of its output as type
EVENT_TYPES: Final[dict[str, EventType]] = {
    "transaction": _PAYMENT,
    "AUTH_REQUEST": _PAYMENT,
    "context_fact": EventType("context", CONTEXT, "context_fact", True),
    "label_assertion": EventType("label", LABELS, "label_assertion", False),
    **{row.output_id: EventType(row.event_class, row.handle, row.record, True) for row in ENGINE_EVENTS.values()},
}

_OF_TEXTS: Final = {NO_CONTROL: Reason.CONTROL_CHARACTER, NO_BLANKS: Reason.BLANKS_AROUND_ID}

Refusal = tuple[Reason, str]

#: pins that a row of a generated world has as columns too
ROW_PINS: Final = ("seed", "manifest_fingerprint", "parameter_hash", "scenario_id")


def payload_hash(event_type: str, schema_version: str, payload: Mapping[str, Any]) -> bytes:
    """sha256, 32 bytes, over what an event says: its type, version and payload; pins and times of transport take no part.

    An entity that is null is one that is left out, and no attributes are an empty object.
    """
    if "entities" in payload:
        entities = {name: known for name, known in payload["entities"].items() if known is not None}
        payload = {"attributes": {}, **payload, "entities": entities}
    return digest({"event_type": event_type, "schema_version": schema_version, "payload": payload})


def check(envelope: Any) -> Refusal | None:
    """The first reason to refuse an envelope with the detail, None when it conforms.

    A run knows more than this: its pins, its clock, its entities and the currencies it has beside those of ISO 4217.
    """
    if isinstance(envelope, dict) and "schema_version" not in envelope:
        return Reason.SCHEMA_VERSION_REQUIRED, "$.schema_version is missing"
    fault = fault_of("envelope.v1", envelope)
    if fault is not None:
        return _envelope_reason(fault), str(fault)
    event_type = EVENT_TYPES.get(envelope["event_type"])
    if event_type is None:
        return Reason.EVENT_TYPE_UNKNOWN, f"$.event_type is {envelope['event_type']!r}, expected one of {', '.join(EVENT_TYPES)}"
    if envelope["schema_version"] != SCHEMA_VERSION:
        return Reason.SCHEMA_VERSION_NOT_ALLOWED, f"$.schema_version is {envelope['schema_version']!r}, expected {SCHEMA_VERSION!r}"
    if event_type.needs_run_id and "run_id" not in envelope:
        return Reason.PINS_MISSING, "$.run_id is missing"
    refusal = _truth_refusal(envelope) or _payload_refusal(event_type, envelope) or _time_refusal(event_type, envelope)
    return refusal or _label_refusal(event_type, envelope) or _row_refusal(envelope)


def _envelope_reason(fault: Fault) -> Reason:
    if fault.keyword == "pattern" and fault.bound in _OF_TEXTS:
        return _OF_TEXTS[fault.bound]
    if fault.path.removeprefix("$.") in (*PIN_NAMES, "run_id"):
        return Reason.PINS_MISSING if fault.keyword == "required" else Reason.PINS_INVALID
    return Reason.ENVELOPE_INVALID


def _truth_refusal(envelope: Mapping[str, Any]) -> Refusal | None:
    """A row comes without the columns that tell the truth. In other payloads their names stand below, where a run refuses them."""
    told = envelope["payload"] if envelope["event_type"] in ENGINE_EVENTS else ()
    found = next((name for name in told if plain_name(name) in gate_truth_names()), None)
    return None if found is None else (Reason.TRUTH_COLUMN_IN_LIVE_ROW, f"$.payload.{found} tells the truth")


def _row_refusal(envelope: Mapping[str, Any]) -> Refusal | None:
    """A row says again of which world and of which time it is."""
    if envelope["event_type"] not in ENGINE_EVENTS:
        return None
    row = envelope["payload"]
    for name in ROW_PINS:
        if row[name] != envelope[name]:
            return Reason.RUN_SCOPE_MISMATCH, f"$.payload.{name} is {row[name]!r}, $.{name} is {envelope[name]!r}"
    if row["ts_utc"] != envelope["ts_utc"]:
        return Reason.SCHEMA_FAIL, f"$.payload.ts_utc is {row['ts_utc']}, $.ts_utc is {envelope['ts_utc']}"
    try:
        if "ts_local_primary" in row:
            local_time_us(row["ts_local_primary"]), number_of(row["lambda_realised"])
    except Quarantine as refused:
        return Reason.SCHEMA_FAIL, f"$.payload: {refused.what}"
    return None


def _payload_refusal(event_type: EventType, envelope: Mapping[str, Any]) -> Refusal | None:
    fault = fault_of(event_type.payload_schema, envelope["payload"])
    if fault is not None:
        return _payload_reason(fault), str(fault).replace("$", "$.payload", 1)
    currency = envelope["payload"].get("currency")
    if currency is None or is_currency(currency):
        return None
    return Reason.CURRENCY_UNKNOWN, f"$.payload.currency is {currency!r}, which ISO 4217 does not have"


def _payload_reason(fault: Fault) -> Reason:
    if fault.keyword == "pattern" and fault.bound in _OF_TEXTS:
        return _OF_TEXTS[fault.bound]
    if (fault.path, fault.keyword) == ("$.currency", "pattern"):
        return Reason.CURRENCY_UNKNOWN
    out_of_range = fault.path == "$.amount_minor" and fault.keyword in ("minimum", "exclusiveMaximum")
    return Reason.AMOUNT_OUT_OF_RANGE if out_of_range else Reason.SCHEMA_FAIL


def _time_refusal(event_type: EventType, envelope: Mapping[str, Any]) -> Refusal | None:
    """Days that no calendar has pass a pattern; parsing finds them."""
    times = {"$.ts_utc": envelope["ts_utc"], "$.emitted_at_utc": envelope.get("emitted_at_utc")}
    if event_type.event_class == "label":
        times["$.payload.subject_ts_utc"] = envelope["payload"]["subject_ts_utc"]
    for path, text in times.items():
        try:
            if text is not None:
                instants.parse(text)
        except Quarantine as refused:
            return (Reason.SCHEMA_FAIL if "payload" in path else Reason.ENVELOPE_INVALID), f"{path}: {refused.what}"
    return None


def _label_refusal(event_type: EventType, envelope: Mapping[str, Any]) -> Refusal | None:
    if event_type.event_class != "label":
        return None
    observed, subject = envelope["ts_utc"], envelope["payload"]["subject_ts_utc"]
    if instants.parse(observed) > instants.parse(subject):
        return None
    return Reason.LABEL_NOT_AFTER_PAYMENT, f"$.ts_utc is {observed}, not later than $.payload.subject_ts_utc, which is {subject}"
