"""Admission as pure decisions: examine one item, then judge it against what the index knows. No clock, no services."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec
from msgspec import UNSET

from assay.app.gate.border import ENVELOPE, PAYLOADS, UNREADABLE, ContextPayload, Envelope, LabelPayload, Payload, PaymentPayload
from assay.app.gate.policy import TOPIC_OF_CLASS, AdmissionPolicy, EventRule
from assay.contracts import instants, pins
from assay.contracts.canonical import canonical
from assay.contracts.errors import AssayError, Quarantine
from assay.contracts.ids import dedupe_prefix
from assay.contracts.limits import AMOUNT_MINOR_END, ID_CHARS_MAX
from assay.contracts.reasons import Reason
from assay.contracts.truth_names import plain_name

_PIN_PATTERNS = {
    "platform_run_id": pins.PLATFORM_RUN_ID,
    "scenario_run_id": pins.HEX32,
    "manifest_fingerprint": pins.HEX64,
    "parameter_hash": pins.HEX64,
    "run_id": pins.HEX32,
}


class Admissible(msgspec.Struct, gc=False):
    """An item that may be admitted: `payload_hash` and `dedupe_key` are 32 bytes, times in microseconds.

    `source_order` is its place among events of one time: as the client says, else the gate's number in order of arrival. Neither
    the hash nor the key depends on it, and an id keeps the first one.
    """

    raw: bytes
    event_class: str
    envelope: Envelope
    payload: Any
    ts_us: int
    payload_hash: bytes
    dedupe_key: bytes
    source_order: int


class RefusedEvent(msgspec.Struct, frozen=True):
    """An item that is refused, with everything a reader needs to find and correct it. Ids are None when unreadable."""

    raw: bytes
    reason: Reason
    detail: str
    event_id: str | None = None
    event_type: str | None = None
    event_class: str | None = None
    ts_utc: str | None = None


class Verdict(Enum):
    """What the index's knowledge makes of an admissible item."""

    ADMIT = "ADMIT"
    REPUBLISH = "REPUBLISH"
    DUPLICATE = "DUPLICATE"
    MISMATCH = "MISMATCH"


@dataclass(frozen=True, slots=True)
class RecordMetadata:
    """Where an event lies on the bus: partition and offset of its class's topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an earlier event with this key. `place` is None until its publication was acknowledged and recorded."""

    payload_hash: bytes
    source_order: int
    place: RecordMetadata | None


def judge(payload_hash: bytes, standing: Standing | None) -> Verdict:
    """The state machine. What is not known to be published is published again under its own id (docs/decisions/0007)."""
    if standing is None:
        return Verdict.ADMIT
    if standing.payload_hash != payload_hash:
        return Verdict.MISMATCH
    return Verdict.REPUBLISH if standing.place is None else Verdict.DUPLICATE


class Examiner:
    """Checks items against one run's pins and the policy.

    `run_pins` maps the six pin names and `run_id` to this run's values; `truth_columns` are names that tell the truth in this
    run's world, in addition to those of the policy.
    """

    def __init__(self, policy: AdmissionPolicy, run_pins: Mapping[str, str | int], truth_columns: Iterable[str] = ()) -> None:
        self.policy = policy
        self._truth = policy.truth_columns.union(map(plain_name, truth_columns))
        self._pins = dict(run_pins)
        self._all_pins = tuple(self._pins[name] for name in (*pins.PIN_NAMES, "run_id"))
        self._prefixes = {name: dedupe_prefix(str(self._pins["platform_run_id"]), name) for name in TOPIC_OF_CLASS}

    def examine(self, raw: bytes, now_us: int, arrived: int) -> Admissible | RefusedEvent:
        """One item, the number in order of arrival. Checks in the order of the reference; the first that fails names the refusal."""
        try:
            envelope = ENVELOPE.decode(raw)
        except UNREADABLE as error:
            return _refused_unread(raw, str(error))
        try:
            return self._admissible(raw, envelope, now_us, arrived)
        except Quarantine as refusal:
            rule = self.policy.events.get(envelope.event_type)
            event_class = None if rule is None else rule.event_class
            return RefusedEvent(
                raw, refusal.reason, _short(refusal.what), envelope.event_id, envelope.event_type, event_class, _text(envelope.ts_utc)
            )

    def _admissible(self, raw: bytes, envelope: Envelope, now_us: int, arrived: int) -> Admissible:
        ts_us = _instant(envelope.ts_utc)
        if envelope.emitted_at_utc is not UNSET:
            _instant(envelope.emitted_at_utc)
        if memoryview(envelope.payload)[0] != _BRACE:
            raise Quarantine(Reason.ENVELOPE_INVALID, "payload is not an object")
        in_scope = self._all_pins == _pins_of(envelope)
        if not in_scope:
            _check_pin_forms(envelope)
        rule = self.policy.events.get(envelope.event_type)
        if rule is None:
            raise Quarantine(Reason.EVENT_TYPE_UNKNOWN, f"event type {envelope.event_type!r} is not one the gate admits")
        if not in_scope:
            self._check_scope(envelope, rule)
        _check_version(envelope, rule)
        payload = _payload(envelope, rule)
        if type(payload) is PaymentPayload and not 0 <= payload.amount_minor < AMOUNT_MINOR_END:
            what = f"amount_minor is {payload.amount_minor}, expected 0 up to {AMOUNT_MINOR_END - 1}"
            raise Quarantine(Reason.AMOUNT_OUT_OF_RANGE, what)
        if ts_us > now_us + self.policy.future_tolerance_us:
            raise Quarantine(Reason.TIME_IN_FUTURE, f"ts_utc {envelope.ts_utc} is ahead of the gate's clock {instants.text(now_us)}")
        if isinstance(payload, LabelPayload):
            _check_label_time(envelope, payload, ts_us)
        else:
            self._check_truth(payload)
        hashed = payload_hash(envelope.event_type, rule_version(envelope), payload)
        key = hashlib.sha256(self._prefixes[rule.event_class] + envelope.event_id.encode()).digest()
        order = arrived if envelope.source_order is UNSET else envelope.source_order
        return Admissible(raw, rule.event_class, envelope, payload, ts_us, hashed, key, order)

    def _check_scope(self, envelope: Envelope, rule: EventRule) -> None:
        fields = msgspec.structs.asdict(envelope)
        missing = [name for name in self._pins if name in rule.required_pins and fields[name] is UNSET]
        if missing:
            raise Quarantine(Reason.PINS_MISSING, f"pins {', '.join(missing)} are missing")
        for name, value in self._pins.items():
            given = fields[name]
            if given is not UNSET and given != value:
                raise Quarantine(Reason.RUN_SCOPE_MISMATCH, f"pin {name} is {given!r}, this gate admits {value!r}")

    def _check_truth(self, payload: PaymentPayload | ContextPayload) -> None:
        for what, names in (("attribute", payload.attributes), ("entity", payload.entities)):
            for name in names or ():
                if plain_name(name) in self._truth:
                    raise Quarantine(Reason.TRUTH_COLUMN_IN_LIVE_ROW, f"{what} {name!r} tells the truth about the payment")


def payload_hash(event_type: str, schema_version: str, payload: Payload) -> bytes:
    """sha256 of the canonical JSON of {event_type, payload, schema_version}, 32 bytes.

    msgspec's sorted encoding is the canonical one as long as nothing needs an escape that only ASCII JSON makes.
    """
    value = {"event_type": event_type, "payload": payload, "schema_version": schema_version}
    encoded = _SORTED.encode(value)
    if not encoded.isascii() or b"\x7f" in encoded:
        encoded = canonical(msgspec.to_builtins(value))
    return hashlib.sha256(encoded).digest()


def rule_version(envelope: Envelope) -> str:
    """The schema version an envelope names; checked to be there before."""
    return "" if envelope.schema_version is UNSET else envelope.schema_version


_SORTED = msgspec.json.Encoder(order="sorted")
_BRACE = ord("{")
_DETAIL_CHARS_MAX = 500
#: where msgspec met the fault, at the end of its message
_FAULT_AT = re.compile(r"at `\$\.(\w+)`$")


def _pins_of(envelope: Envelope) -> tuple[object, ...]:
    return (
        envelope.platform_run_id,
        envelope.scenario_run_id,
        envelope.manifest_fingerprint,
        envelope.parameter_hash,
        envelope.scenario_id,
        envelope.seed,
        envelope.run_id,
    )


def _instant(text: str) -> int:
    try:
        return instants.parse(text)
    except Quarantine as refusal:
        raise Quarantine(Reason.ENVELOPE_INVALID, refusal.what) from None


def _check_pin_forms(envelope: Envelope) -> None:
    fields = msgspec.structs.asdict(envelope)
    for name, pattern in _PIN_PATTERNS.items():
        value = fields[name]
        if value is not UNSET and not pattern.fullmatch(value):
            raise Quarantine(Reason.PINS_INVALID, f"pin {name} is {value!r}, expected {pattern.pattern}")


def _check_version(envelope: Envelope, rule: EventRule) -> None:
    if envelope.schema_version is UNSET:
        raise Quarantine(Reason.SCHEMA_VERSION_REQUIRED, f"schema_version is missing on a {envelope.event_type}")
    if envelope.schema_version not in rule.schema_versions:
        allowed = ", ".join(sorted(rule.schema_versions))
        raise Quarantine(Reason.SCHEMA_VERSION_NOT_ALLOWED, f"schema_version is {envelope.schema_version!r}, allowed: {allowed}")


def _payload(envelope: Envelope, rule: EventRule) -> Payload:
    try:
        payload: Payload = PAYLOADS[rule.payload].decode(envelope.payload)
        if type(payload) is LabelPayload:
            instants.parse(payload.subject_ts_utc)
    except UNREADABLE as error:
        raise Quarantine(Reason.SCHEMA_FAIL, f"{rule.payload}: {error}") from None
    except AssayError as error:
        raise Quarantine(Reason.SCHEMA_FAIL, f"{rule.payload}: {error.what}") from None
    return payload


def _check_label_time(envelope: Envelope, payload: LabelPayload, ts_us: int) -> None:
    """Whoever labels names the payment's time too: a label that would be known before its payment is seen without looking it up."""
    if ts_us <= instants.parse(payload.subject_ts_utc):
        what = f"the label is of {envelope.ts_utc}, not later than its payment of {payload.subject_ts_utc}"
        raise Quarantine(Reason.LABEL_NOT_AFTER_PAYMENT, what)


def _refused_unread(raw: bytes, detail: str) -> RefusedEvent:
    """An envelope that could not be read as a whole: keep the ids that can still be seen."""
    try:
        seen = msgspec.json.decode(raw)
    except UNREADABLE:
        seen = None
    named = seen if isinstance(seen, dict) else {}
    event_id, event_type, ts_utc = (_text(named.get(name)) for name in ("event_id", "event_type", "ts_utc"))
    if event_id != named.get("event_id"):  # a part of a longer text may be another event's id
        event_id = None
    at = _FAULT_AT.search(detail)
    reason = Reason.PINS_INVALID if at and at[1] in (*pins.PIN_NAMES, "run_id") else Reason.ENVELOPE_INVALID
    return RefusedEvent(raw, reason, _short(detail), event_id, event_type, None, ts_utc)


def _short(detail: str) -> str:
    """A detail may quote what was sent; the item itself is kept whole elsewhere."""
    return detail if len(detail) <= _DETAIL_CHARS_MAX else detail[: _DETAIL_CHARS_MAX - 1] + "…"


def _text(value: object) -> str | None:
    return value[:ID_CHARS_MAX] if isinstance(value, str) and value else None
