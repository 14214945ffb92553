"""The same events in JSON, in lines, in Avro and in Arrow end the same: verdict, hash, key, time and receipt."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from effort import drawn
from gate_events import CONTEXT, LABEL, NOW_US, PAYMENT, SCOPE, event, paid, row, traffic_of
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.bench.bodies import MEDIA_TYPES, arrow_body, avro_body, body_of
from assay.app.gate.admission import Admissible, Examiner, RefusedEvent
from assay.app.gate.media_types import BATCH_TYPES
from assay.app.gate.plain_examiner import made_of
from assay.app.gate.plain_payments import PlainItem
from assay.app.gate.policy import TOPIC_OF_CLASS, shipped_admission_policy
from assay.app.gate.receipts import ReceiptWriter, actor_json
from assay.app.gate.standing import RecordMetadata, Verdict
from assay.contracts.caller import Caller
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.envelope import EVENT_TYPES
from assay.contracts.errors import Quarantine
from assay.contracts.ids import receipt_id
from assay.contracts.ingest_schemas import ENVELOPE_FIELDS, ingest_schema, payload_fields
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

ITEMS_MAX = 50
AVRO, ARROW = "application/avro", "application/vnd.apache.arrow.stream"
FORMS = tuple(MEDIA_TYPES)
CALLER = Caller("HUMAN::ana", "HUMAN", "api_key", "k-1")
WRITER = ReceiptWriter(shipped_admission_policy(), Pins.of(SCOPE), TOPIC_OF_CLASS, bytes(32))


@cache
def examiner_of(traffic: str) -> Examiner:
    return Examiner(shipped_admission_policy(traffic), SCOPE)


def ends(body: bytes, media: str, event_type: str = "") -> list[Any]:
    """How each item of a body ends in the gate: what is known of it, and its receipt."""
    examiner = examiner_of(traffic_of(event_type))
    return [_end(examined_by(examiner, item, at)) for at, item in enumerate(BATCH_TYPES[media](body, ITEMS_MAX))]


def examined_by(examiner: Examiner, item: bytes | PlainItem, at: int) -> Admissible | RefusedEvent:
    """As the gate does it."""
    made = made_of(examiner, item, NOW_US, at) if isinstance(item, PlainItem) else None
    return made or examiner.examine(item if isinstance(item, bytes) else item.raw, NOW_US, at)


def _end(item: Admissible | RefusedEvent) -> Any:
    if isinstance(item, RefusedEvent):
        return item.reason, item.where, item.detail
    receipt = receipt_id("ADMIT", item.envelope.event_id)
    if item.event_class in ("traffic", "context", "label"):
        assert WRITER.admitted(item, Verdict.ADMIT, RecordMetadata(0, 0), "now", actor_json(CALLER))[0] == receipt
    return receipt, item.payload_hash, item.dedupe_key, item.ts_us, item.event_class, item.source_order, item.envelope.producer


TEXT = st.text(max_size=6)
NAMES = st.sampled_from(["customer", "terminal", "card", "fraud_flag", "", "Ü", "a b"])
PAYMENTS = st.builds(
    event,
    event_id=st.text(min_size=1, max_size=8) | st.just(" e") | st.just("e\x7f"),
    event_type=st.sampled_from(["transaction", "AUTH_REQUEST", "context_fact", "nothing"]),
    payload=st.fixed_dictionaries(
        {
            "kind": TEXT,
            "amount_minor": st.integers(-1, 10**11),
            "currency": st.sampled_from(["EUR", "USD", "XQZ", ""]),
            "entities": st.dictionaries(NAMES, TEXT, min_size=1, max_size=3),
        },
        optional={"attributes": st.dictionaries(NAMES | TEXT, TEXT, max_size=3)},
    ),
    ts_utc=st.sampled_from(["2018-04-01T00:00:31.000000Z", "2026-01-01T00:05:00.000001Z", "1970-01-01T00:00:00.000000Z"]),
    schema_version=st.sampled_from(["v1", "v2", "", None]),
    producer=st.none() | st.text(min_size=1, max_size=4),
    source_order=st.none() | st.integers(-1, 2**53),
    seed=st.sampled_from([7, 8, -1, None]),
    emitted_at_utc=st.none() | st.just("2018-04-01T00:00:31.000001Z"),
    trace_id=st.none() | st.just("t"),
    span_id=st.none() | st.just(""),
    parent_event_id=st.none() | st.just("p"),
    run_id=st.sampled_from([SCOPE["run_id"], "x", None]),
)


def in_order(document: Mapping[str, Any]) -> dict[str, Any]:
    """An event with its fields in the order of the schemas: of two faults the first counts, and columns have one order."""
    payload = {name: dict(sorted(told.items())) if isinstance(told, dict) else told for name, told in document["payload"].items()}
    ordered = {name: payload[name] for name in payload_fields("payment") if name in payload}
    return {**{name: document[name] for name in ENVELOPE_FIELDS if name in document}, "payload": ordered}


@settings(max_examples=drawn(150), deadline=None)
@given(st.lists(PAYMENTS.map(in_order), min_size=1, max_size=5))
def test_the_same_events_end_the_same_in_every_format(events: Sequence[Mapping[str, Any]]) -> None:
    found = {form: ends(body_of(form, "payment", events), MEDIA_TYPES[form]) for form in FORMS}
    assert len(found["json"]) == len(events)
    assert [form for form in FORMS if found[form] != found["json"]] == []


GOOD = [event(), event("e-1", "context_fact", CONTEXT), event("e-1", "label_assertion", LABEL)]
GOOD += [event(payload=paid(attributes={"a": "ü", "b": ""})), event("e-1", "label_assertion", LABEL, run_id=None)]
GOOD += [row(output_id) for output_id in ENGINE_EVENTS]
GOOD += [row("arrival_events_5B", site_id=None, edge_id=5, is_virtual=True)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("document", GOOD, ids=lambda document: document["event_type"])
def test_every_type_of_event_can_be_sent_in_every_format(document: dict[str, Any], form: str) -> None:
    record = EVENT_TYPES[document["event_type"]].record
    told = ends(body_of(form, record, [document]), MEDIA_TYPES[form], document["event_type"])
    assert told == ends(body_of("json", record, [document]), MEDIA_TYPES["json"], document["event_type"])
    assert told[0][0] == receipt_id("ADMIT", document["event_id"]), told


def test_a_name_that_is_there_twice_is_refused_in_avro_too() -> None:
    rows: Any = list(fastavro.reader(io.BytesIO(avro_body("payment", [event()]))))
    twice = {"name": "customer", "id": "1"}
    rows[0]["payload"]["entities"] += [twice]
    written = io.BytesIO()
    fastavro.writer(written, dict(ingest_schema("payment")), rows)
    assert ends(written.getvalue(), AVRO)[0][:2] == (Reason.KEY_DUPLICATE, "$.payload.entities.customer")


@pytest.mark.parametrize("codec", ["null", "deflate", "zstandard"])
@pytest.mark.parametrize("sync_interval", [1, 1 << 20])
def test_blocks_of_avro_may_be_packed_and_many(codec: str, sync_interval: int) -> None:
    events = [event(f"e-{i}", payload=paid(amount_minor=i)) for i in range(ITEMS_MAX)]
    assert ends(avro_body("payment", events, codec, sync_interval), AVRO) == ends(body_of("json", "payment", events), MEDIA_TYPES["json"])


def test_an_avro_schema_may_have_comments_and_other_defaults() -> None:
    schema: Any = {**ingest_schema("payment"), "doc": "ours"}
    schema["fields"] = [{**field, "doc": "said"} for field in schema["fields"]]
    schema["fields"][2] = {"name": "ts_utc", "type": "long"}
    rows = [{**event(), "ts_utc": 1522540831000000, "payload": {**PAYMENT, "entities": [{"name": "customer", "id": "596"}]}}]
    written = io.BytesIO()
    fastavro.writer(written, schema, rows)
    assert ends(written.getvalue(), AVRO)[0][0] == receipt_id("ADMIT", "e-1")


@pytest.mark.parametrize(
    "text", [pa.large_utf8(), pa.string_view(), pa.dictionary(pa.int8(), pa.utf8()), pa.dictionary(pa.uint16(), pa.large_utf8())]
)
def test_texts_of_arrow_may_be_large_views_or_dictionaries(text: Any) -> None:
    events = [event(f"e-{i}", producer="x" * i or None) for i in range(20)]
    with pa.ipc.open_stream(arrow_body("payment", events)) as stream:
        table = stream.read_all()
    for name in ("event_id", "event_type", "producer", "run_id"):
        table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(text))
    assert ends(stream_of(table), ARROW) == ends(body_of("json", "payment", events), MEDIA_TYPES["json"])


def test_rows_of_arrow_may_come_in_many_batches_with_columns_in_any_order_and_times_as_text() -> None:
    events = [event(f"e-{i}") for i in range(9)]
    with pa.ipc.open_stream(arrow_body("payment", events, 2)) as stream:
        table = stream.read_all()
    times = pa.array([one["ts_utc"] for one in events])
    table = table.set_column(table.schema.get_field_index("ts_utc"), "ts_utc", times).select(sorted(table.schema.names))
    assert table["event_id"].num_chunks == 5
    assert ends(stream_of(table), ARROW) == ends(body_of("json", "payment", events), MEDIA_TYPES["json"])


@pytest.mark.parametrize(
    ("changes", "reason", "where"),
    [
        ({"ts_utc": None}, Reason.ENVELOPE_INVALID, "$.ts_utc"),
        ({"ts_utc": pa.array([1522540831000000])}, Reason.ENVELOPE_INVALID, "$.ts_utc"),
        ({"colour": pa.array(["red"])}, Reason.ENVELOPE_INVALID, "$.colour"),
        ({"event_id": pa.array([5])}, Reason.ENVELOPE_INVALID, "$.event_id"),
        ({"payload": pa.array(["text"])}, Reason.ENVELOPE_INVALID, "$.payload"),
        ({"payload": None}, Reason.ENVELOPE_INVALID, "$.payload"),
        ({"payload": pa.array([None], pa.struct([("kind", pa.utf8())]))}, Reason.ENVELOPE_INVALID, "$.payload"),
        ({"payload": pa.array([{**PAYMENT, "kind": None}])}, Reason.SCHEMA_FAIL, "$.payload.kind"),
        ({"payload": pa.array([{**PAYMENT, "colour": None}])}, Reason.SCHEMA_FAIL, "$.payload.colour"),
        ({"ts_utc": pa.array([2**62], pa.timestamp("us", "UTC"))}, Reason.ENVELOPE_INVALID, "$.ts_utc"),
        ({"ts_utc": pa.array([-(2**63)], pa.timestamp("us", "UTC"))}, Reason.ENVELOPE_INVALID, "$.ts_utc"),
        ({"seed": pa.array([2**64 - 1], pa.uint64())}, Reason.PINS_INVALID, "$.seed"),
    ],
)
def test_a_row_of_arrow_is_refused_by_itself_as_its_envelope_would_be(changes: dict[str, Any], reason: Reason, where: str) -> None:
    with pa.ipc.open_stream(arrow_body("payment", [event()])) as stream:
        table = stream.read_all()
    for name, column in changes.items():
        table = table.drop_columns([name]) if name in table.schema.names else table
        table = table if column is None else table.append_column(name, column)
    assert ends(stream_of(table), ARROW)[0][:2] == (reason, where)


def test_lines_that_cannot_be_read_are_refused_by_themselves_and_blank_ones_are_none() -> None:
    good = body_of("ndjson", "payment", [event()])
    found = ends(b"\n \r\n" + good + b"oops\n7\n\xff\n  " + good.rstrip() + b"\r\n", "application/x-ndjson")
    assert [one[0] for one in found[1:4]] == [Reason.ENVELOPE_INVALID] * 3
    assert [one[0] for one in (found[0], found[4])] == [receipt_id("ADMIT", "e-1")] * 2
    assert len(found) == 5


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_body_of_a_format_takes_nothing_and_one_item_too_many_is_refused(form: str) -> None:
    assert ends(body_of(form, "payment", []), MEDIA_TYPES[form]) == []
    assert len(ends(body_of(form, "payment", [event()] * ITEMS_MAX), MEDIA_TYPES[form])) == ITEMS_MAX
    with pytest.raises(Quarantine) as refusal:
        ends(body_of(form, "payment", [event()] * (ITEMS_MAX + 1)), MEDIA_TYPES[form])
    assert refusal.value.reason is Reason.BODY_OVER_LIMIT


def test_every_field_of_the_contract_has_its_place_in_every_format() -> None:
    from assay.app.gate.border import PAYLOADS as TYPES
    from assay.app.gate.border import Envelope

    assert {"payload", *ENVELOPE_FIELDS} == set(Envelope.__struct_fields__)
    for record, decoder in TYPES.items():
        assert set(payload_fields(record)) == set(decoder.type.__struct_fields__)


def stream_of(table: Any) -> bytes:
    written = pa.BufferOutputStream()
    with pa.ipc.new_stream(written, table.schema) as stream:
        stream.write_table(table)
    return bytes(written.getvalue())
