"""Examination of one item as a pure decision. What the index makes of it then stands in `standing.py`. No clock, no services."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET

from assay.app.gate import checks
from assay.app.gate.border import ENVELOPE, UNREADABLE, ContextPayload, Envelope, LabelPayload, PaymentPayload
from assay.app.gate.card_checks import check_cards
from assay.app.gate.card_numbers import masked, masked_json, may_hold_card
from assay.app.gate.exact import check_exact, is_plain
from assay.app.gate.nesting import deep_first
from assay.app.gate.payload_hashes import SORTED, payload_hash_of
from assay.app.gate.plain_payments import PlainItem
from assay.app.gate.policy import AdmissionPolicy, EventRule
from assay.app.gate.row_checks import check_row
from assay.app.gate.row_payloads import Row
from assay.app.gate.run_names import ANY_NAMES, RunNames
from assay.contracts import instants
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.errors import Quarantine
from assay.contracts.ids import dedupe_prefix
from assay.contracts.json_schema import place
from assay.contracts.limits import ID_CHARS_MAX
from assay.contracts.reasons import Reason
from assay.contracts.truth_names import plain_name


class Admissible(msgspec.Struct, gc=False):
    """An item that may be admitted: `payload_hash` and `dedupe_key` are 32 bytes, times in microseconds. See `raw_of` for `raw`.

    `source_order` is its place among events of one time: as the client says, else the gate's number in order of arrival. Neither
    the hash nor the key depends on it, and an id keeps the first one.
    """

    raw: bytes | PlainItem
    event_class: str
    envelope: Envelope
    payload: Any
    ts_us: int
    payload_hash: bytes
    dedupe_key: bytes
    source_order: int


class RefusedEvent(msgspec.Struct, frozen=True):
    """An item that is refused, with everything a reader needs to find and correct it. Ids are None when unreadable.

    `where` is the JSON path of the fault inside of the item.
    """

    raw: bytes
    reason: Reason
    detail: str
    where: str
    remedy: str
    event_id: str | None = None
    event_type: str | None = None
    event_class: str | None = None
    ts_utc: str | None = None


def raw_of(item: Admissible) -> bytes:
    """The item as it came, or as the envelope in JSON that it is equal to."""
    return item.raw if isinstance(item.raw, bytes) else item.raw.raw


def without_cards(refused: RefusedEvent) -> RefusedEvent:
    """A refused item as it may be kept and told: without card numbers in clear, wherever they stand."""
    if not may_hold_card(refused.raw):
        return refused
    told = {name: masked(value) for name, value in msgspec.structs.asdict(refused).items() if type(value) is str}
    return msgspec.structs.replace(refused, raw=masked_json(refused.raw), **told)


class Examiner:
    """Checks items against one run and the policy.

    `run_pins` maps the six pin names and `run_id` to this run's values.
    """

    def __init__(self, policy: AdmissionPolicy, run_pins: Mapping[str, str | int], names: RunNames = ANY_NAMES) -> None:
        self.policy = policy
        self.names = names
        # the payments of a run have the same few sets of names; a refusal is not remembered
        self.check_names = lru_cache(NAMES_REMEMBERED)(self._check_each_name)
        self._other_traffic = {event.output_id for event in ENGINE_EVENTS.values()} - set(policy.events)
        self._truth = policy.truth_columns | names.truth
        self._pins = dict(run_pins)
        self.all_pins = tuple(self._pins[name] for name in checks.RUN_PINS)
        self.prefixes = {name: dedupe_prefix(str(self._pins["platform_run_id"]), name) for name in policy.topics}

    def examine(self, raw: bytes, now_us: int, arrived: int) -> Admissible | RefusedEvent:
        """One item, the number in order of arrival. Checks in the order of the reference; the first that fails names the refusal."""
        try:
            envelope = ENVELOPE.decode(raw)
        except UNREADABLE as error:
            return deep_first(_refused_unread(raw, error))
        try:
            return self._admissible(raw, envelope, now_us, arrived)
        except Quarantine as refusal:
            return deep_first(self._refused(raw, envelope, refusal))

    def _admissible(self, raw: bytes, envelope: Envelope, now_us: int, arrived: int) -> Admissible:
        ts_us = checks.instant(envelope.ts_utc, "ts_utc")
        if envelope.emitted_at_utc is not UNSET:
            checks.instant(envelope.emitted_at_utc, "emitted_at_utc")
        checks.check_object(envelope)
        in_scope = self.all_pins == _pins_of(envelope)
        if not in_scope:
            checks.check_pin_forms(envelope)
        rule = self._rule(envelope)
        if not in_scope:
            self._check_scope(envelope, rule)
        checks.check_version(envelope, rule)
        payload = checks.payload_of(envelope, rule, self._truth)
        if not isinstance(payload, Row) and may_hold_card(raw):
            check_cards(envelope, payload, self.names.ids_in_clear, of_engine=self.names.of_engine)
        if type(payload) is PaymentPayload:
            checks.check_amount(payload)
        if ts_us > now_us + self.policy.future_tolerance_us:
            what = f"ts_utc {envelope.ts_utc} is ahead of the gate's clock {instants.text(now_us)}"
            raise Quarantine(Reason.TIME_IN_FUTURE, what, where="$.ts_utc", remedy="Correct the sender's clock or its time zone.")
        self.names.check_time(ts_us)
        if isinstance(payload, LabelPayload):
            checks.check_label_time(envelope, payload, ts_us)
        elif isinstance(payload, Row):
            check_row(envelope, payload)
        else:
            self._check_payload(payload)
        written = SORTED.encode(payload)
        checks.check_size(len(written))
        if not is_plain(raw, envelope, written):
            check_exact(raw, Reason.ENVELOPE_INVALID)
        checks.check_blanks(envelope, payload)
        hashed = payload_hash_of(envelope.event_type, rule_version(envelope), payload, written)
        key = hashlib.sha256(self.prefixes[rule.event_class] + envelope.event_id.encode()).digest()
        order = arrived if envelope.source_order is UNSET else envelope.source_order
        return Admissible(raw, rule.event_class, envelope, payload, ts_us, hashed, key, order)

    def _rule(self, envelope: Envelope) -> EventRule:
        rule = self.policy.events.get(envelope.event_type)
        if self.policy.traffic and envelope.event_type in self._other_traffic:
            what = f"{envelope.event_type} is of another traffic than {self.policy.traffic}, which this run streams"
            remedy = "Stream one traffic in a run: a mixture would tell what was overlaid. Begin another run for the other."
            raise Quarantine(Reason.TRAFFIC_MODES_MIXED, what, where="$.event_type", remedy=remedy)
        if rule is None:
            what = f"event type {envelope.event_type!r} is not one the gate admits"
            remedy = f"Send one of {', '.join(self.policy.events)}."
            raise Quarantine(Reason.EVENT_TYPE_UNKNOWN, what, where="$.event_type", remedy=remedy)
        return rule

    def _refused(self, raw: bytes, envelope: Envelope, refusal: Quarantine) -> RefusedEvent:
        """An id that is there twice is nobody's: the item is known by what it holds."""
        rule = self.policy.events.get(envelope.event_type)
        event_class = None if rule is None else rule.event_class
        twice = refusal.reason is Reason.KEY_DUPLICATE and refusal.where == "$.event_id"
        ids = None if twice else envelope.event_id, envelope.event_type, event_class, _text(envelope.ts_utc)
        return RefusedEvent(raw, refusal.reason, _short(refusal.what), _short(refusal.where), _short(refusal.remedy), *ids)

    def _check_scope(self, envelope: Envelope, rule: EventRule) -> None:
        fields = msgspec.structs.asdict(envelope)
        missing = [name for name in self._pins if name in rule.required_pins and fields[name] is UNSET]
        if missing:
            remedy = "Add them: they stand in config of the run's run.json."
            raise Quarantine(Reason.PINS_MISSING, f"pins {', '.join(missing)} are missing", where=f"$.{missing[0]}", remedy=remedy)
        for name, value in self._pins.items():
            given = fields[name]
            if given is not UNSET and given != value:
                what = f"pin {name} is {given!r}, this gate admits {value!r}"
                remedy = "Post to the gate of that run, or send the pins of this one."
                raise Quarantine(Reason.RUN_SCOPE_MISMATCH, what, where=f"$.{name}", remedy=remedy)

    def _check_payload(self, payload: PaymentPayload | ContextPayload) -> None:
        self.check_names(tuple(payload.attributes or ()), tuple(payload.entities))
        if type(payload) is PaymentPayload:
            self.names.check_touches_policy(payload.entities)
            self.names.check_currency(payload.currency)

    def _check_each_name(self, attributes: tuple[str, ...], entities: tuple[str, ...]) -> None:
        self._check_truth("attributes", attributes)
        self._check_truth("entities", entities)
        self.names.check_entities(entities)

    def _check_truth(self, group: str, names: Iterable[str]) -> None:
        for name in names:
            if plain_name(name) in self._truth:
                raise Quarantine(
                    Reason.TRUTH_COLUMN_IN_LIVE_ROW,
                    f"{name!r} among the {group} tells the truth about the payment",
                    where=place(("payload", group, name)),
                    remedy="Leave it out of payments, and post it as a label when it is known.",
                )


def rule_version(envelope: Envelope) -> str:
    """The schema version an envelope names; checked to be there before."""
    return "" if envelope.schema_version is UNSET else envelope.schema_version


_DETAIL_CHARS_MAX = 500
NAMES_REMEMBERED = 256


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


def _refused_unread(raw: bytes, error: Exception) -> RefusedEvent:
    """An envelope that could not be read as a whole: keep the ids that can still be seen."""
    try:
        seen = checks.named(msgspec.json.decode(raw))
    except UNREADABLE:
        seen = {}
    event_id, event_type, ts_utc = (_text(seen.get(name)) for name in ("event_id", "event_type", "ts_utc"))
    if event_id != seen.get("event_id"):  # a part of a longer text may be another event's id
        event_id = None
    where, remedy = checks.unread(error, raw)
    reason = Reason.PINS_INVALID if where.removeprefix("$.") in checks.RUN_PINS else Reason.ENVELOPE_INVALID
    return RefusedEvent(raw, reason, _short(str(error)), _short(where), remedy, event_id, event_type, None, ts_utc)


def _short(detail: str) -> str:
    """A detail may quote what was sent; the item itself is kept whole elsewhere. A card number is masked before a part of it is cut off."""
    detail = masked(detail)
    return detail if len(detail) <= _DETAIL_CHARS_MAX else detail[: _DETAIL_CHARS_MAX - 1] + "…"


def _text(value: object) -> str | None:
    return masked(value)[:ID_CHARS_MAX] if isinstance(value, str) and value else None
