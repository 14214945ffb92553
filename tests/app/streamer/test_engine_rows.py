"""A row of the engine becomes one envelope: its id is that of the contract, its payload the whole row, in JSON that says it exactly."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import polars as pl
import pytest
from streamed_banks import ANCHORS, ARRIVALS, ENGINE_RUN, EVENTS, PACK, PINS, RELEASE, rows_of

from assay.app.streamer.engine_rows import EngineFramer
from assay.contracts import instants
from assay.contracts.engine_events import ENGINE_EVENTS, amount_text, number_text
from assay.contracts.ids import world_event_id


def framed(output_id: str, rows: pl.DataFrame, first: int = 1) -> list[dict[str, object]]:
    framer = EngineFramer(ENGINE_EVENTS[output_id], PINS, ENGINE_RUN, PACK, RELEASE)
    orders = pl.int_range(first, first + len(rows), eager=True)
    return [json.loads(text) for text in framer.envelopes(rows, framer.ids(rows), orders)]


@pytest.mark.parametrize("output_id", list(ENGINE_EVENTS))
def test_the_envelope_of_a_row_has_its_id_its_time_the_pins_and_the_whole_row(output_id: str) -> None:
    event, rows = ENGINE_EVENTS[output_id], rows_of(output_id)
    for number, (envelope, row) in enumerate(zip(framed(output_id, rows, 8), rows.iter_rows(named=True), strict=True), 8):
        payload = envelope.pop("payload")
        assert envelope == {
            "event_id": world_event_id(output_id, [row[name] for name in event.primary_key], PINS),
            "event_type": output_id,
            "schema_version": "v1",
            "ts_utc": _text(row["ts_utc"]),
            "source_order": number,
            **PINS.as_json(),
            "run_id": ENGINE_RUN,
            "producer": "world_streamer",
            "trace_id": PACK,
            "span_id": RELEASE,
        }
        assert isinstance(payload, dict)
        assert list(payload) == rows.columns
        assert payload == {column.name: _json(column.kind, row[column.name]) for column in event.columns}


def _text(value: datetime) -> str:
    return instants.text(int(value.replace(tzinfo=UTC).timestamp()) * 1_000_000 + value.microsecond)


def _json(kind: str, value: object) -> object:
    if isinstance(value, datetime):
        return _text(value) if kind == "time" else _text(value).removesuffix("Z")
    if isinstance(value, float):
        return amount_text(value) if kind == "amount" else number_text(value)
    return value


def test_the_id_of_a_row_is_the_known_one() -> None:
    row = rows_of(EVENTS, 1).with_columns(flow_id=pl.lit(7), event_seq=pl.lit(0))
    assert framed(EVENTS, row)[0]["event_id"] == "310d2a501cbfc2c3bd178a291850ac3dcc574bcfe4d28f24464342e35903898d"


@pytest.mark.parametrize(
    ("amount", "text"), [(0.0, "0.00"), (0.29, "0.29"), (1.1, "1.10"), (4.35, "4.35"), (123_456_789.01, "123456789.01")]
)
def test_an_amount_is_exact_text(amount: float, text: str) -> None:
    (envelope,) = framed(ANCHORS, rows_of(ANCHORS, 1).with_columns(amount=pl.lit(amount)))
    assert envelope["payload"]["amount"] == text  # type: ignore[index]


@pytest.mark.parametrize("number", [1e-7, 0.1 + 0.2, 1e22, 5e-324])
def test_a_number_is_its_shortest_text(number: float) -> None:
    (envelope,) = framed(ARRIVALS, rows_of(ARRIVALS, 1).with_columns(lambda_realised=pl.lit(number)))
    told = envelope["payload"]["lambda_realised"]  # type: ignore[index]
    assert (float(told), told) == (number, repr(number))
