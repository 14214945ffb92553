"""Rows of a generated world as events: each output that streams, its event class, topic, record and payload. One table.

A payload is a whole row of the stream view of its output: all columns in this order, those that tell the truth left out. Nothing is
dropped by whoever frames it. `event_id` is `ids.world_event_id` over the values of `primary_key`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from assay.contracts import handles, instants
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason
from assay.contracts.traffic_modes import BASELINE, FRAUD, TrafficName

AMOUNT: Final = r"^(0|[1-9][0-9]{0,8})\.[0-9]{2}$"
NUMBER: Final = r"^(0|[1-9][0-9]{0,19})(\.[0-9]{1,20})?(e[+-][0-9]{2,3})?$"
LOCAL_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}$"

#: how a value stands in the JSON of a payload. whole: integer of 0 up to 2^63 - 1. text, bool: as they are. time: `…T…Z` with six digits.
#: local_time: the same of a wall clock, without Z. amount: text of `amount_text`. number: text of `number_text`
ColumnKind = Literal["whole", "text", "bool", "time", "local_time", "amount", "number"]


class EventColumn(NamedTuple):
    """A column of a payload. Where it is `nullable` and has no value it is there as null."""

    name: str
    kind: ColumnKind
    nullable: bool = False


class EngineEvent(NamedTuple):
    """An output of the engine as events of one class. `traffic`: the run's traffic that it belongs to, None for both."""

    output_id: str
    event_class: str
    handle: str
    record: str
    primary_key: tuple[str, ...]
    time_column: str
    columns: tuple[EventColumn, ...]
    traffic: TrafficName | None = None


def amount_text(amount: float) -> str:
    """An amount of the world, a multiple of 0.01 from 0 up, as exact text with two digits: 107.0 is `107.00`."""
    minor = round(amount * 100)
    return f"{minor // 100}.{minor % 100:02d}"


def amount_minor(text: str) -> int:
    """Hundredths of the unit of money; the inverse of `amount_text`."""
    return int(text[:-3] + text[-2:])


def number_text(number: float) -> str:
    """A number of the world from 0 up as its shortest text that reads back equal."""
    return repr(number)


def number_of(text: str) -> float:
    """The inverse of `number_text`. Raises Quarantine(SCHEMA_FAIL) for a text that is not the shortest: a row has one text."""
    number = float(text)
    if repr(number) != text:
        what = f"{text!r} is not the shortest text of a number, which is {number!r}"
        raise Quarantine(Reason.SCHEMA_FAIL, what, remedy="Write the number as Python's repr does.")
    return number


def local_time_us(text: str) -> int:
    """Microseconds of a wall clock's time, counted as if it were UTC. Raises Quarantine(TIME_INVALID)."""
    return instants.parse(f"{text}Z")


def _wholes(*names: str) -> tuple[EventColumn, ...]:
    return tuple(EventColumn(name, "whole") for name in names)


_SEED, _TIME, _AMOUNT = EventColumn("seed", "whole"), EventColumn("ts_utc", "time"), EventColumn("amount", "amount")
_FINGERPRINT, _PARAMETERS, _SCENARIO = (EventColumn(name, "text") for name in ("manifest_fingerprint", "parameter_hash", "scenario_id"))
_IDENTITY: Final = (_SEED, _PARAMETERS, _FINGERPRINT, _SCENARIO)
_PEOPLE: Final = _wholes("party_id", "account_id", "instrument_id", "device_id", "ip_id")
_TOKENS: Final = ("seed", "manifest_fingerprint", "scenario_id")

_FLOW_EVENT: Final = (*_IDENTITY, *_wholes("flow_id", "event_seq"), EventColumn("event_type", "text"), _TIME, _AMOUNT)
_FLOW_ANCHOR: Final = (
    *_IDENTITY,
    *_wholes("flow_id", "arrival_seq", "merchant_id"),
    *_PEOPLE,
    _TIME,
    _AMOUNT,
    EventColumn("counterparty_account_id", "whole", nullable=True),
)
_ARRIVAL_ENTITIES: Final = (*_IDENTITY, *_wholes("arrival_seq", "merchant_id"), _TIME, *_PEOPLE, *_wholes("session_id"))
_ARRIVAL_EVENT: Final = (
    _SEED,
    _FINGERPRINT,
    _PARAMETERS,
    _SCENARIO,
    *_wholes("merchant_id"),
    EventColumn("zone_representation", "text"),
    *_wholes("bucket_index", "arrival_seq"),
    _TIME,
    EventColumn("tzid_primary", "text"),
    EventColumn("ts_local_primary", "local_time"),
    EventColumn("is_virtual", "bool"),
    EventColumn("channel_group", "text"),
    EventColumn("site_id", "whole", nullable=True),
    EventColumn("edge_id", "whole", nullable=True),
    EventColumn("lambda_realised", "number"),
)

ARRIVAL_EVENT: Final = EngineEvent(
    "arrival_events_5B",
    "context_arrival",
    handles.ARRIVALS,
    "arrival_event",
    ("seed", "manifest_fingerprint", "scenario_id", "merchant_id", "arrival_seq"),
    "ts_utc",
    _ARRIVAL_EVENT,
)


def _event_stream(output_id: str, event_class: str, handle: str, name: TrafficName) -> EngineEvent:
    return EngineEvent(output_id, event_class, handle, "flow_event", (*_TOKENS, "flow_id", "event_seq"), "ts_utc", _FLOW_EVENT, name)


def _flow_anchor(output_id: str, event_class: str, handle: str, name: TrafficName) -> EngineEvent:
    return EngineEvent(output_id, event_class, handle, "flow_anchor", (*_TOKENS, "flow_id"), "ts_utc", _FLOW_ANCHOR, name)


def _arrival_entities(output_id: str, name: TrafficName) -> EngineEvent:
    key, found = (*_TOKENS, "merchant_id", "arrival_seq"), "arrival_entities"
    return EngineEvent(output_id, "context_arrival_entities", handles.CONTEXT, found, key, "ts_utc", _ARRIVAL_ENTITIES, name)


#: output id, which is the event type → what its rows are as events
ENGINE_EVENTS: Final[Mapping[str, EngineEvent]] = MappingProxyType(
    {
        event.output_id: event
        for event in (
            _event_stream(BASELINE.events, "traffic_baseline", handles.TRAFFIC_BASELINE, BASELINE.name),
            _event_stream(FRAUD.events, "traffic_fraud", handles.TRAFFIC, FRAUD.name),
            ARRIVAL_EVENT,
            _arrival_entities(BASELINE.arrival_entities, BASELINE.name),
            _arrival_entities(FRAUD.arrival_entities, FRAUD.name),
            _flow_anchor(BASELINE.flow_anchors, "context_flow_baseline", handles.FLOWS_BASELINE, BASELINE.name),
            _flow_anchor(FRAUD.flow_anchors, "context_flow_fraud", handles.FLOWS_FRAUD, FRAUD.name),
        )
    }
)


def engine_events(traffic: str) -> tuple[EngineEvent, ...]:
    """Outputs whose rows a run of this traffic admits (`baseline` or `fraud`); none for a run without one."""
    return tuple(event for event in ENGINE_EVENTS.values() if traffic and event.traffic in (None, traffic))
