"""Payloads of rows of a generated world: closed structs, one per record type, in the columns of `contracts.engine_events`."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta

from assay.contracts.engine_events import AMOUNT, LOCAL_TIME, NUMBER
from assay.contracts.limits import ID_CHARS_MAX, LABEL_CHARS_MAX, SEED_MAX

Whole: TypeAlias = Annotated[int, Meta(ge=0, le=SEED_MAX)]
Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=LABEL_CHARS_MAX)]
Amount: TypeAlias = Annotated[str, Meta(pattern=AMOUNT)]
EventWord: TypeAlias = Literal["AUTH_REQUEST", "AUTH_RESPONSE"]
ChannelWord: TypeAlias = Literal["ECOM", "POS", "ATM", "BANK_RAIL", "HYBRID"]
EVENT_WORDS: Final[tuple[str, ...]] = get_args(EventWord)
CHANNEL_WORDS: Final[tuple[str, ...]] = get_args(ChannelWord)


class Row(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """What every row says: its world, and its time."""

    seed: Whole
    parameter_hash: str
    manifest_fingerprint: str
    scenario_id: Annotated[str, Meta(min_length=1, max_length=ID_CHARS_MAX)]
    ts_utc: str


class FlowEventPayload(Row, frozen=True):
    """An event of a flow: a request for an authorisation, or the response to it."""

    flow_id: Whole
    event_seq: Whole
    event_type: EventWord
    amount: Amount


class FlowAnchorPayload(Row, frozen=True):
    """What a flow is about."""

    flow_id: Whole
    arrival_seq: Whole
    merchant_id: Whole
    party_id: Whole
    account_id: Whole
    instrument_id: Whole
    device_id: Whole
    ip_id: Whole
    amount: Amount
    counterparty_account_id: Whole | None


class ArrivalEntitiesPayload(Row, frozen=True):
    """Who arrived at a merchant, and by what."""

    arrival_seq: Whole
    merchant_id: Whole
    party_id: Whole
    account_id: Whole
    instrument_id: Whole
    device_id: Whole
    ip_id: Whole
    session_id: Whole


class ArrivalEventPayload(Row, frozen=True):
    """An arrival at a merchant."""

    merchant_id: Whole
    zone_representation: Text
    bucket_index: Whole
    arrival_seq: Whole
    tzid_primary: Text
    ts_local_primary: Annotated[str, Meta(pattern=LOCAL_TIME)]
    is_virtual: bool
    channel_group: ChannelWord
    site_id: Whole | None
    edge_id: Whole | None
    lambda_realised: Annotated[str, Meta(pattern=NUMBER)]


#: record type → its payload
ROWS: Final[dict[str, type[Row]]] = {
    "flow_event": FlowEventPayload,
    "flow_anchor": FlowAnchorPayload,
    "arrival_entities": ArrivalEntitiesPayload,
    "arrival_event": ArrivalEventPayload,
}
