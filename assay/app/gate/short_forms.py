"""The short forms in which people and plain programs post payments and labels, one or an array, and the envelopes they become."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from assay.app.gate.admission import RefusedEvent
from assay.app.gate.border import UNREADABLE, Attributes, Entities, Id, ShortText, items_of
from assay.app.gate.checks import named, unread
from assay.app.gate.exact import check_exact
from assay.app.gate.nesting import check_nesting
from assay.app.gate.plain_payments import PlainItem
from assay.contracts import instants
from assay.contracts.canonical import hex64
from assay.contracts.errors import Quarantine
from assay.contracts.event_classes import LABEL, TRAFFIC
from assay.contracts.limits import AMOUNT_MINOR_END, ID_CHARS_MAX
from assay.contracts.reasons import Reason

PAYMENTS, LABELS = "payments_endpoint", "labels_endpoint"
PAYMENT_TYPE, LABEL_TYPE = "AUTH_REQUEST", "label_assertion"
_BRACKET: Final = b"["
_BLANKS: Final = b" \t\r\n"

#: makes an id that the gate gives out one that tells nothing of the payment: it is a digest of its ids and of this, which nobody knows
_SALT: Final = secrets.token_hex(16)

#: the bounds of an amount; the examiner refuses others with a code of their own
AMOUNT: Final = {"minimum": 0, "exclusiveMaximum": AMOUNT_MINOR_END}
Instant: TypeAlias = Annotated[
    str,
    Meta(
        description="an instant of RFC 3339, in any offset; it is kept in UTC and microseconds, anything finer is cut off",
        extra_json_schema={"format": "date-time"},
    ),
]


class PaymentBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A payment in the short form. With an `event_id` the same post may be repeated; without, every post is a new payment."""

    amount_minor: Annotated[int, Meta(description="in minor units of the currency: 25000 is 250.00 EUR", extra_json_schema=AMOUNT)]
    currency: Annotated[str, Meta(description="a code of ISO 4217 in capitals")]
    entities: Annotated[Entities, Meta(description="name of an entity of the run's policy → id")]
    attributes: Annotated[Attributes, Meta(description="other facts, kept beside the payment")] | UnsetType = UNSET
    kind: ShortText = "purchase"
    event_id: Annotated[Id, Meta(description="your own id of the payment")] | UnsetType = UNSET
    ts_utc: Annotated[Instant, Meta(description="when it was paid; left out: now")] | UnsetType = UNSET


class LabelBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What became known of an earlier payment. With a `known_at` the same post may be repeated; without, every post is a new label."""

    payment: Annotated[Id, Meta(description="the event_id of the payment")]
    label: Annotated[Literal["FRAUD", "LEGIT"], Meta(description="what the payment was")]
    known_at: Annotated[Instant, Meta(description="when it became known; left out: now")] | UnsetType = UNSET
    source: Annotated[ShortText, Meta(description="who says so")] = LABELS
    payment_ts_utc: Annotated[Instant, Meta(description="time of the payment; left out: as the gate admitted it")] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Short:
    """An item that was posted in a short form: as it came, and the envelope it becomes.

    `event_id` is its own, and `subject` the payment that a label speaks of. `envelope` needs the time of that payment, in
    microseconds, unless the label tells it (`timed`). `places` gives the names that fields of the envelope have in the short form.
    """

    raw: bytes
    envelope: Callable[[int], bytes]
    places: Mapping[str, str]
    event_id: str | None = None
    subject: str | None = None
    timed: bool = False

    def place(self, where: str) -> str:
        """The place of a fault in the envelope, as a place in what was posted."""
        if where in self.places:
            return self.places[where]
        return "$" + where.removeprefix("$.payload") if where.startswith("$.payload") else where


#: what a call holds: an envelope, a row of columns, an item in a short form, or one that cannot be read
Item: TypeAlias = bytes | PlainItem | Short | RefusedEvent
#: reads one item: its bytes, the time of arrival in microseconds, its number in the call
Reader: TypeAlias = Callable[[bytes, Mapping[str, str | int], int, int], Short]

_PAYMENT = msgspec.json.Decoder(PaymentBody)
_LABEL = msgspec.json.Decoder(LabelBody)
_LABEL_PLACES: Final = {
    "$.ts_utc": "$.known_at",
    "$.payload.subject_event_id": "$.payment",
    "$.payload.subject_ts_utc": "$.payment_ts_utc",
    "$.event_id": "$",
}


def short_items(body: bytes, read: Reader, pins: Mapping[str, str | int], now_us: int, items_max: int) -> tuple[list[Item], bool]:
    """The items of a call, and whether they came as an array. In an array an unreadable item is refused by itself.

    Raises Quarantine(BODY_INVALID | BODY_OVER_LIMIT), and for one item that cannot be read BODY_INVALID, KEY_DUPLICATE or
    CONTROL_CHARACTER.
    """
    if body.lstrip(_BLANKS)[:1] != _BRACKET:
        return [read(body, pins, now_us, 0)], False
    return [_one(raw, read, pins, now_us, number) for number, raw in enumerate(items_of(body, items_max))], True


def _one(raw: bytes, read: Reader, pins: Mapping[str, str | int], now_us: int, number: int) -> Item:
    try:
        return read(raw, pins, now_us, number)
    except Quarantine as refusal:
        reason = Reason.SCHEMA_FAIL if refusal.reason is Reason.BODY_INVALID else refusal.reason
        event_type, event_class = _KINDS[read]
        event_id = _readable_id(raw, refusal) if event_class == TRAFFIC else None
        return RefusedEvent(raw, reason, refusal.what, refusal.where, refusal.remedy, event_id, event_type, event_class)


def _readable_id(raw: bytes, refusal: Quarantine) -> str | None:
    """The event id of a payment that cannot be read as a whole; one that is there twice is nobody's."""
    try:
        event_id = named(msgspec.json.decode(raw)).get("event_id")
    except UNREADABLE:
        return None
    twice = refusal.reason is Reason.KEY_DUPLICATE and refusal.where == "$.event_id"
    return event_id if isinstance(event_id, str) and 0 < len(event_id) <= ID_CHARS_MAX and not twice else None


def payment_of(raw: bytes, pins: Mapping[str, str | int], now_us: int, number: int) -> Short:
    """A posted payment as an AUTH_REQUEST of this run, which happens now unless it says when.

    Raises Quarantine(BODY_INVALID | KEY_DUPLICATE | CONTROL_CHARACTER).
    """
    given: PaymentBody = _read(_PAYMENT, raw, "a payment", "amount_minor, currency and entities")
    payload: dict[str, Any] = {
        "kind": given.kind,
        "amount_minor": given.amount_minor,
        "currency": given.currency,
        "entities": given.entities,
        "attributes": {} if given.attributes is UNSET else given.attributes,
    }
    ts_us = now_us if given.ts_utc is UNSET else _instant(given.ts_utc, "ts_utc")
    head = {"event_type": PAYMENT_TYPE, "schema_version": "v1", "ts_utc": instants.text(ts_us), "producer": PAYMENTS, **pins}
    posted = {**head, "payload": payload, "posted_us": now_us, "item": number, "salt": _SALT}
    event_id = given.event_id if given.event_id is not UNSET else hex64(posted)
    envelope = msgspec.json.encode({"event_id": event_id, **head, "payload": payload})
    return Short(raw, lambda _: envelope, {}, event_id)


def label_of(raw: bytes, pins: Mapping[str, str | int], now_us: int, number: int) -> Short:
    """A posted label as a label_assertion of this run. Its id depends on what it says, so that the same file can be posted again.

    Raises Quarantine(BODY_INVALID | KEY_DUPLICATE | CONTROL_CHARACTER).
    """
    given: LabelBody = _read(_LABEL, raw, "a label", "payment, the event_id of the payment, and label, FRAUD or LEGIT")
    known_us = now_us if given.known_at is UNSET else _instant(given.known_at, "known_at")
    told_us = None if given.payment_ts_utc is UNSET else _instant(given.payment_ts_utc, "payment_ts_utc")
    says = {"label": given.label, "source": given.source, "subject_event_id": given.payment}
    head = {"event_type": LABEL_TYPE, "schema_version": "v1", "ts_utc": instants.text(known_us), "producer": LABELS, **pins}
    event_id = hex64({**head, "payload": says})

    def envelope(subject_us: int) -> bytes:
        at = subject_us if told_us is None else told_us
        return msgspec.json.encode({"event_id": event_id, **head, "payload": {**says, "subject_ts_utc": instants.text(at)}})

    return Short(raw, envelope, _LABEL_PLACES, event_id, given.payment, told_us is not None)


#: event type and class of what a reader reads
_KINDS: Final[Mapping[Reader, tuple[str, str]]] = {payment_of: (PAYMENT_TYPE, TRAFFIC), label_of: (LABEL_TYPE, LABEL)}


def _read(decoder: msgspec.json.Decoder[Any], raw: bytes, what: str, fields: str) -> Any:
    try:
        given = decoder.decode(raw)
    except UNREADABLE as error:
        check_nesting(raw)
        where, remedy = unread(error, raw)
        told = f"the body is not {what}: {error}"
        raise Quarantine(Reason.BODY_INVALID, told, where=where, remedy=f"{remedy} {what.capitalize()} has {fields}.") from None
    check_exact(raw, Reason.BODY_INVALID)
    return given


def _instant(text: str, name: str) -> int:
    try:
        return instants.read(text)
    except Quarantine as refusal:
        raise Quarantine(Reason.BODY_INVALID, refusal.what, where=f"$.{name}", remedy=refusal.remedy) from None
