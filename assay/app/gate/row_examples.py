"""Examples of every body in a run that streams a generated world: one flow with its context, and what becomes known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from assay.contracts import instants
from assay.contracts.engine_events import EngineEvent, engine_events
from assay.contracts.ids import world_event_id
from assay.contracts.pins import Pins

_DAY_US: Final = 86_400_000_000
#: values of columns beside world and time; the flow is numbered by the start of the gate, so that another start has another one
_VALUES: Final[Mapping[str, Any]] = {
    "arrival_seq": 1,
    "event_seq": 0,
    "event_type": "AUTH_REQUEST",
    "amount": "69.99",
    "party_id": 1933,
    "account_id": 5278,
    "instrument_id": 6524,
    "device_id": 4433,
    "ip_id": 591,
    "counterparty_account_id": None,
    "session_id": 1247084460668554409,
    "zone_representation": "Africa/Lagos",
    "bucket_index": 0,
    "tzid_primary": "Africa/Lagos",
    "is_virtual": False,
    "channel_group": "HYBRID",
    "site_id": 8764749305462012851,
    "edge_id": None,
    "lambda_realised": "0.5125012944938241",
}
#: record type → name of its example
ROW_EXAMPLES: Final = {
    "flow_event": "envelope of an event of a flow",
    "arrival_event": "envelope of an arrival",
    "arrival_entities": "envelope of the entities of an arrival",
    "flow_anchor": "envelope of a flow",
}


def row_examples(pins: Mapping[str, str | int], traffic: str, now_us: int) -> dict[str, Any]:
    """Name → body for a run of this traffic; `pins` are its six and its `run_id`. They may be posted in this order."""
    at_us = now_us - _DAY_US
    made = {ROW_EXAMPLES[event.record]: _envelope(pins, event, at_us, now_us // 1_000_000) for event in engine_events(traffic)}
    flow = made[ROW_EXAMPLES["flow_event"]]
    known = instants.text(now_us)
    label = {"payment": flow["event_id"], "label": "FRAUD", "known_at": known}
    says = {"subject_event_id": flow["event_id"], "subject_ts_utc": flow["ts_utc"], "label": "LEGIT", "source": "desk"}
    head = {"event_id": f"example-{now_us // 1_000_000}", "event_type": "label_assertion", "schema_version": "v1", "ts_utc": known, **pins}
    mark = {pin: value for pin, value in pins.items() if pin != "run_id"}
    return {
        **made,
        "envelope of a label": {**head, "payload": says},
        "label": {"payment": flow["event_id"], "label": "FRAUD"},
        "labels": [label, {**label, "label": "LEGIT"}],
        "mark": {**mark, "ts_utc": instants.text(0), "final": False},
    }


def _envelope(pins: Mapping[str, str | int], event: EngineEvent, at_us: int, number: int) -> dict[str, Any]:
    ts_utc = instants.text(at_us)
    told = {**_VALUES, **pins, "flow_id": number, "merchant_id": number, "ts_utc": ts_utc, "ts_local_primary": ts_utc.removesuffix("Z")}
    row = {column.name: told[column.name] for column in event.columns}
    event_id = world_event_id(event.output_id, [row[name] for name in event.primary_key], Pins.of(pins))
    return {"event_id": event_id, "event_type": event.output_id, "schema_version": "v1", "ts_utc": ts_utc, **pins, "payload": row}
