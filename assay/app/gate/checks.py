"""The checks of an envelope that need no run: each refuses with its place in the item and a remedy of its own."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from assay.app.gate.border import PAYLOADS, UNREADABLE, Attributes, Entities, Envelope, LabelPayload, Payload, PaymentPayload
from assay.app.gate.policy import EventRule
from assay.app.gate.row_checks import check_values
from assay.app.gate.row_payloads import CHANNEL_WORDS, EVENT_WORDS, ROWS, Row
from assay.contracts import instants, pins
from assay.contracts.errors import Quarantine
from assay.contracts.json_schema import place
from assay.contracts.limits import AMOUNT_MINOR_END, PAYLOAD_BYTES_MAX
from assay.contracts.reasons import Reason
from assay.contracts.truth_names import plain_name

RUN_PINS = (*pins.PIN_NAMES, "run_id")
_PIN_PATTERNS = {
    "platform_run_id": pins.PLATFORM_RUN_ID,
    "scenario_run_id": pins.HEX32,
    "manifest_fingerprint": pins.HEX64,
    "parameter_hash": pins.HEX64,
    "run_id": pins.HEX32,
}
_BRACE = ord("{")
#: msgspec's message: what is wrong, and the place where it was met
_FAULT = re.compile(r"(.*?)(?: - at (?:`key` in )?`\$([^`]*)`)?", re.DOTALL)
_MAPPINGS: dict[str, Any] = {"entities": Entities, "attributes": Attributes}
#: place in a payload → the words that may stand there
_WORDS = {".label": ("FRAUD", "LEGIT"), ".event_type": EVENT_WORDS, ".channel_group": CHANNEL_WORDS}
_FIELD = re.compile(r"Object (missing required|contains unknown) field `(.*)`", re.DOTALL)


class Unread(NamedTuple):
    """Where the compiled reader met an item that it cannot take, and what helps."""

    where: str
    remedy: str


def unread(error: Exception, raw: bytes, root: str = "$") -> Unread:
    """Place and remedy of a fault that the compiled reader met. `raw` is what it read, `root` the place of it."""
    found = _FAULT.fullmatch(str(error))
    what, below = (found[1], found[2] or "") if found else (str(error), "")
    field = _FIELD.fullmatch(what)
    if what.startswith("Invalid enum value"):
        return Unread(root + below, f"Send {' or '.join(_WORDS[below])}, in capitals.")
    if field is None:
        below = _member(raw, below) or below
        told = "Send the type and length that is expected there." if below else "Send one JSON object in UTF-8."
        return Unread(root + below, told)
    told = "Add the field." if field[1] == "missing required" else "Leave the field out, or correct its name."
    return Unread(f"{root}{below}.{field[2]}", told)


def _member(raw: bytes, below: str) -> str | None:
    """The place of the first member of a mapping that is refused; the compiled reader names the mapping only. None for another place."""
    name = below.removeprefix(".").removesuffix("[...]")
    if name not in _MAPPINGS:
        return None
    try:
        members = named(msgspec.json.decode(raw)).get(name)
    except UNREADABLE:  # the fault was met before the text went wrong behind it
        return None
    for key, value in named(members).items():
        try:
            msgspec.convert({key: value}, _MAPPINGS[name])
        except msgspec.ValidationError:
            return place((name, key)).removeprefix("$")
    return None


def instant(text: str, name: str) -> int:
    """Microseconds of the time in an envelope's field. Raises Quarantine(ENVELOPE_INVALID)."""
    try:
        return instants.parse(text)
    except Quarantine as refusal:
        raise Quarantine(Reason.ENVELOPE_INVALID, refusal.what, where=f"$.{name}", remedy=refusal.remedy) from None


def check_object(envelope: Envelope) -> None:
    """Raises Quarantine(ENVELOPE_INVALID) for a payload that is no object."""
    if memoryview(envelope.payload)[0] != _BRACE:
        raise Quarantine(
            Reason.ENVELOPE_INVALID,
            "payload is not an object",
            where="$.payload",
            remedy="Send the payload of the event type as an object.",
        )


def check_pin_forms(envelope: Envelope) -> None:
    """Raises Quarantine(PINS_INVALID)."""
    fields = msgspec.structs.asdict(envelope)
    for name, pattern in _PIN_PATTERNS.items():
        value = fields[name]
        if value is not UNSET and not pattern.fullmatch(value):
            what = f"pin {name} is {value!r}, expected {pattern.pattern}"
            raise Quarantine(Reason.PINS_INVALID, what, where=f"$.{name}", remedy="Copy the pins from config in the run's run.json.")


def check_version(envelope: Envelope, rule: EventRule) -> None:
    """Raises Quarantine(SCHEMA_VERSION_REQUIRED | SCHEMA_VERSION_NOT_ALLOWED)."""
    if envelope.schema_version in rule.schema_versions:
        return
    allowed = ", ".join(sorted(rule.schema_versions))
    if envelope.schema_version is UNSET:
        what = f"schema_version is missing on a {envelope.event_type}"
        raise Quarantine(Reason.SCHEMA_VERSION_REQUIRED, what, where="$.schema_version", remedy=f"Add it; allowed: {allowed}.")
    what = f"schema_version is {envelope.schema_version!r}, allowed: {allowed}"
    remedy = f"Send the payload in a version that is allowed: {allowed}."
    raise Quarantine(Reason.SCHEMA_VERSION_NOT_ALLOWED, what, where="$.schema_version", remedy=remedy)


def payload_of(envelope: Envelope, rule: EventRule, truth: Collection[str]) -> Payload:
    """The typed payload. Raises Quarantine(SCHEMA_FAIL), and TRUTH_COLUMN_IN_LIVE_ROW for a row with a column of these plain names."""
    try:
        payload: Payload = PAYLOADS[rule.payload].decode(envelope.payload)
    except UNREADABLE as error:
        if rule.payload in ROWS:
            _check_row_truth(bytes(envelope.payload), truth)
        raise Quarantine(
            Reason.SCHEMA_FAIL, f"{rule.payload}: {error}", **unread(error, bytes(envelope.payload), "$.payload")._asdict()
        ) from None
    if isinstance(payload, Row):
        check_values(payload)
    if type(payload) is LabelPayload:
        try:
            instants.parse(payload.subject_ts_utc)
        except Quarantine as refusal:
            where, what = "$.payload.subject_ts_utc", f"{rule.payload}: {refusal.what}"
            raise Quarantine(Reason.SCHEMA_FAIL, what, where=where, remedy=refusal.remedy) from None
    return payload


def _check_row_truth(raw: bytes, truth: Collection[str]) -> None:
    """A row is closed: a column of the truth is met where the row cannot be read."""
    try:
        columns = named(msgspec.json.decode(raw))
    except UNREADABLE:
        return
    for name in columns:
        if plain_name(name) in truth:
            remedy = "Send the row of the stream view, which has no such column."
            what = f"the column {name!r} tells the truth about the flow"
            raise Quarantine(Reason.TRUTH_COLUMN_IN_LIVE_ROW, what, where=place(("payload", name)), remedy=remedy)


def check_size(payload_bytes: int) -> None:
    """Raises Quarantine(SCHEMA_FAIL) for a payload whose record would not fit a message of the bus."""
    if payload_bytes > PAYLOAD_BYTES_MAX:
        what = f"the payload has {payload_bytes:,} bytes of JSON, {PAYLOAD_BYTES_MAX:,} are taken"
        remedy = "Leave out attributes that no analysis needs, or shorten them."
        raise Quarantine(Reason.SCHEMA_FAIL, what, where="$.payload", remedy=remedy)


def check_amount(payload: PaymentPayload) -> None:
    """Raises Quarantine(AMOUNT_OUT_OF_RANGE)."""
    if not 0 <= payload.amount_minor < AMOUNT_MINOR_END:
        raise Quarantine(
            Reason.AMOUNT_OUT_OF_RANGE,
            f"amount_minor is {payload.amount_minor}, expected 0 up to {AMOUNT_MINOR_END - 1}",
            where="$.payload.amount_minor",
            remedy="Send the amount in minor units (cents), and no refunds: a payment is not negative.",
        )


def check_blanks(envelope: Envelope, payload: Payload) -> None:
    """`C1 ` would be another id than `C1`. Raises Quarantine(BLANKS_AROUND_ID)."""
    if envelope.event_id != envelope.event_id.strip():
        raise _blanks(envelope.event_id, "$.event_id")
    if isinstance(payload, Row):
        return
    if isinstance(payload, LabelPayload):
        if payload.subject_event_id != payload.subject_event_id.strip():
            raise _blanks(payload.subject_event_id, "$.payload.subject_event_id")
        return
    for name, known in payload.entities.items():
        if known is not None and known != known.strip():
            raise _blanks(known, place(("payload", "entities", name)))


def _blanks(text: str, where: str) -> Quarantine:
    what = f"the id {text!r} has blanks around it, and would be another than {text.strip()!r}"
    return Quarantine(Reason.BLANKS_AROUND_ID, what, where=where, remedy="Send the id without them.")


def check_label_time(envelope: Envelope, payload: LabelPayload, ts_us: int) -> None:
    """Whoever labels names the payment's time too: a label that would be known before its payment is seen without looking it up.

    Raises Quarantine(LABEL_NOT_AFTER_PAYMENT).
    """
    if ts_us <= instants.parse(payload.subject_ts_utc):
        what = f"the label is of {envelope.ts_utc}, not later than its payment of {payload.subject_ts_utc}"
        remedy = "A label becomes known after its payment: correct the time at which it became known, or that of the payment."
        raise Quarantine(Reason.LABEL_NOT_AFTER_PAYMENT, what, where="$.ts_utc", remedy=remedy)


def named(value: object) -> dict[str, Any]:
    """A JSON value as an object, empty for any other."""
    return value if isinstance(value, dict) else {}
