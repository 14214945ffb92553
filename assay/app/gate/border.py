"""The HTTP border: a body becomes items, an item becomes an envelope and a typed payload. Closed structs, no defaults.

The same rules stand as JSON Schemas under contracts/schemas/json; a test holds both to the same examples.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from assay.app.gate.body_items import check_count
from assay.app.gate.nesting import check_nesting
from assay.app.gate.row_payloads import ROWS, Row
from assay.contracts.errors import Quarantine
from assay.contracts.limits import (
    ATTRIBUTE_CHARS_MAX,
    ATTRIBUTES_MAX,
    ENTITIES_MAX,
    ID_CHARS_MAX,
    LABEL_CHARS_MAX,
    SEED_MAX,
    SOURCE_ORDER_MAX,
)
from assay.contracts.reasons import Reason

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=ID_CHARS_MAX)]
ShortText: TypeAlias = Annotated[str, Meta(min_length=1, max_length=LABEL_CHARS_MAX)]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=LABEL_CHARS_MAX)]
Value: TypeAlias = Annotated[str, Meta(max_length=ATTRIBUTE_CHARS_MAX)]
Entities: TypeAlias = Annotated[dict[Name, Id | None], Meta(max_length=ENTITIES_MAX)]
Attributes: TypeAlias = Annotated[dict[Name, Value], Meta(max_length=ATTRIBUTES_MAX)]
Currency: TypeAlias = Annotated[str, Meta(max_length=LABEL_CHARS_MAX)]


class Envelope(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """What every event carries around its payload. Pins are optional here: which ones must be there depends on the class."""

    event_id: Id
    event_type: Id
    ts_utc: str
    payload: Raw
    source_order: Annotated[int, Meta(ge=0, le=SOURCE_ORDER_MAX)] | UnsetType = UNSET
    schema_version: Annotated[str, Meta(min_length=1, max_length=64)] | UnsetType = UNSET
    platform_run_id: str | UnsetType = UNSET
    scenario_run_id: str | UnsetType = UNSET
    manifest_fingerprint: str | UnsetType = UNSET
    parameter_hash: str | UnsetType = UNSET
    scenario_id: Id | UnsetType = UNSET
    seed: Annotated[int, Meta(ge=0, le=SEED_MAX)] | UnsetType = UNSET
    run_id: str | UnsetType = UNSET
    producer: ShortText | UnsetType = UNSET
    emitted_at_utc: str | UnsetType = UNSET
    trace_id: ShortText | UnsetType = UNSET
    span_id: ShortText | UnsetType = UNSET
    parent_event_id: Id | UnsetType = UNSET


class PaymentPayload(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A payment: amount in integer minor units."""

    kind: ShortText
    amount_minor: int
    currency: Currency
    entities: Entities
    attributes: Attributes | UnsetType = UNSET


class ContextPayload(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A fact about entities."""

    entities: Entities
    attributes: Attributes | UnsetType = UNSET


class LabelPayload(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Truth about an earlier payment; the envelope's time is when it was observed."""

    subject_event_id: Id
    subject_ts_utc: str
    label: Literal["FRAUD", "LEGIT"]
    source: ShortText


Payload: TypeAlias = PaymentPayload | ContextPayload | LabelPayload | Row

ENVELOPE = msgspec.json.Decoder(Envelope)
PAYLOADS: dict[str, msgspec.json.Decoder[Any]] = {
    "payment": msgspec.json.Decoder(PaymentPayload),
    "context_fact": msgspec.json.Decoder(ContextPayload),
    "label_assertion": msgspec.json.Decoder(LabelPayload),
    **{record: msgspec.json.Decoder(row) for record, row in ROWS.items()},
}
_ITEMS = msgspec.json.Decoder(list[Raw])
_ITEM = msgspec.json.Decoder(Raw)
#: what decoding foreign bytes can raise: bad JSON or type, bad UTF-8, nesting without end
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def items_of(body: bytes, items_max: int) -> list[bytes]:
    """Split a JSON array into the bytes of its items.

    Raises Quarantine(BODY_INVALID) with the position, NESTING_TOO_DEEP, or BODY_OVER_LIMIT for too many items.
    """
    try:
        items = _ITEMS.decode(body)
    except UNREADABLE as error:
        check_nesting(body)
        raise _body_invalid(error, len(body), "a JSON array") from None
    check_count(len(items), items_max)
    return [bytes(item) for item in items]


def one_item(body: bytes) -> bytes:
    """The body as one item. Raises Quarantine(BODY_INVALID | NESTING_TOO_DEEP) when it is not one JSON value that can be read."""
    try:
        return bytes(_ITEM.decode(body))
    except UNREADABLE as error:
        check_nesting(body)
        raise _body_invalid(error, len(body), "one JSON value") from None


def _body_invalid(error: Exception, length: int, expected: str) -> Quarantine:
    what, found = str(error), re.search(r"byte (\d+)", str(error))
    if found is None and isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        what += f" (byte {length})"
    where = f"byte {found[1] if found else length}" if "byte" in what else "$"
    remedy = f"Nothing was taken; send {expected} in UTF-8."
    return Quarantine(Reason.BODY_INVALID, f"the body is not {expected}: {what}", where=where, remedy=remedy)
