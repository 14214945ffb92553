"""Records become items one by one: what stands beside a record changes nothing, and a file of the same rows says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gate_events import NOW_US
from hypothesis import given
from hypothesis import strategies as st
from topic_records import LABELS, PAYMENTS, TOPIC, bodies, mapping_of, read, record, value_of

from assay.app.connect.batches import Body, Fault, bodies_of, refused_of
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.stores.objects import DirectoryStore
from assay.contracts import instants


def test_a_payment_is_the_envelope_of_the_run(tmp_path: Path) -> None:
    (item,) = bodies(read(mapping_of(tmp_path), value_of(record(1, id='p"1\\'))))
    payload = item.pop("payload")
    assert payload == {
        "kind": "purchase",
        "amount_minor": 1350,
        "currency": "EUR",
        "entities": {"customer": "c1", "terminal": "t1"},
        "attributes": {"channel": "pos"},
    }
    assert (item["event_id"], item["event_type"], item["producer"]) == ('p"1\\', "transaction", "kafka_connect")
    assert item["ts_utc"] == "2025-03-01T00:00:01.000000Z"
    assert "source_order" not in item


def test_a_payment_without_an_id_is_named_by_its_place(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, PAYMENTS.replace("id: id", "id: {row: true}"))
    assert [item["event_id"] for item in bodies(read(mapping, value_of(record(1)), value_of(record(1)), first=41))] == [
        f"{TOPIC}:0:41",
        f"{TOPIC}:0:42",
    ]


def test_an_order_that_the_mapping_names_is_the_source_order(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, PAYMENTS + "order: n\n")
    found = read(mapping, value_of(record(1, n=9)), value_of(record(2, n="x")), value_of(record(3, n=-1)), value_of(record(4)))
    assert [item["source_order"] for item in bodies(found)] == [9]
    assert [fault.error for fault in found.faults] == ["INPUT_VALUE_INVALID", "INPUT_VALUE_INVALID", "INPUT_VALUE_MISSING"]


def test_a_label_is_a_short_form_under_its_payments_id(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, LABELS)
    told = [{"payment": f"p{n}", "told": 1_700_000_000_000 + n, "status": s} for n, s in enumerate(["lost", "won", None, "odd"])]
    found = read(mapping, *map(value_of, told))
    assert (mapping.path, found.filtered, [fault.offset for fault in found.faults]) == ("/v1/labels", 1, [3])
    assert bodies(found) == [
        {"payment": "p0", "label": "FRAUD", "known_at": "2023-11-14T22:13:20.000000Z", "source": "disputes"},
        {"payment": "p1", "label": "LEGIT", "known_at": "2023-11-14T22:13:20.001000Z", "source": "disputes"},
    ]


def test_tombstones_and_filtered_records_are_counted_and_no_fault(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, PAYMENTS + "filter: [{column: state, keep: [booked]}]\n")
    found = read(mapping, None, value_of(record(1, state="open")), value_of(record(2, state="BOOKED")), None)
    assert (found.tombstones, found.filtered, found.faults, len(found.rows)) == (2, 1, [], 1)
    assert read(mapping, None).rows.is_empty()
    assert read(mapping, value_of(record(1, state="open"))).filtered == 1


REFUSED = [
    (b"", "RECORD_UNREADABLE", "value"),
    (b"{", "RECORD_UNREADABLE", "value"),
    (value_of(record(1, id=...)), "INPUT_VALUE_MISSING", "column 'id'"),
    (value_of(record(1, id="")), "INPUT_VALUE_MISSING", "column 'id'"),
    (value_of(record(1, id=" p")), "INPUT_VALUE_INVALID", "column 'id'"),
    (value_of(record(1, id="a\nb")), "INPUT_VALUE_INVALID", "column 'id'"),
    (value_of(record(1, id="x" * 257)), "INPUT_VALUE_INVALID", "column 'id'"),
    (value_of(record(1, at="2025-03-01 00:00:00")), "TIME_ZONE_MISSING", "column 'at'"),
    (value_of(record(1, at="then")), "INPUT_VALUE_INVALID", "column 'at'"),
    (value_of(record(1, at="2026-01-01T00:05:01Z")), "TIME_IN_FUTURE", "column 'at'"),
    (value_of(record(1, amount=...)), "INPUT_VALUE_MISSING", "column 'amount'"),
    (value_of(record(1, amount="1.000")), "INPUT_VALUE_INVALID", "column 'amount'"),
    (value_of(record(1, amount="abc")), "INPUT_VALUE_INVALID", "column 'amount'"),
    (value_of(record(1, amount=1.005)), "AMOUNT_NOT_WHOLE_MINOR_UNIT", "column 'amount'"),
    (value_of(record(1, amount=-1)), "AMOUNT_OUT_OF_RANGE", "column 'amount'"),
    (value_of(record(1, amount=1e20)), "AMOUNT_OUT_OF_RANGE", "column 'amount'"),
    (value_of(record(1, amount=[1])), "INPUT_COLUMN_TYPE", "column 'amount'"),
    (value_of(record(1, who={"customer": {"id": 1}})), "INPUT_COLUMN_TYPE", "column 'who.customer'"),
    (value_of(record(1, terminal="null")), "INPUT_VALUE_INVALID", "column 'terminal'"),
]


@pytest.mark.parametrize(("value", "code", "where"), REFUSED)
def test_a_record_at_fault_is_refused_by_itself(tmp_path: Path, value: bytes, code: str, where: str) -> None:
    found = read(mapping_of(tmp_path), value_of(record(8)), value, value_of(record(9)), first=5)
    assert [(fault.offset, fault.error, fault.where) for fault in found.faults] == [(6, code, where)]
    assert found.faults[0].remedy
    assert [item["event_id"] for item in bodies(found)] == ["p8", "p9"]


def test_a_decimal_comma_is_of_texts_alone(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, PAYMENTS + 'csv: {decimal: ",", thousands: "."}\n')
    found = read(mapping, *(value_of(record(1, amount=amount)) for amount in ("1.234,50", 12, 1.234)))
    assert [item["payload"]["amount_minor"] for item in bodies(found)] == [123450, 1200]
    assert [fault.error for fault in found.faults] == ["INPUT_COLUMN_TYPE"]


def test_a_minor_unit_that_is_not_the_currencys_refuses_its_records_alone(tmp_path: Path) -> None:
    text = PAYMENTS.replace("{column: amount}", "{column: amount, minor_unit_exponent: 2}").replace("{constant: EUR}", "{column: cur}")
    found = read(
        mapping_of(tmp_path, text + "currencies: [EUR, JPY]\n"), *(value_of(record(n, cur=c)) for n, c in enumerate(["EUR", "JPY"] * 3))
    )
    assert [fault.offset for fault in found.faults] == [1, 3, 5]
    assert len(found.rows) == 3


values = st.one_of(
    st.sampled_from([value for value, _, _ in REFUSED]),
    st.none(),
    st.builds(
        lambda number, amount, kind: value_of(record(number, amount=amount, kind=kind)),
        st.integers(0, 20),
        st.sampled_from([1, 1.5, "0.500", "1.000", "2.25", 3.125, "12,5", None]),
        st.sampled_from(["a", "b", None]),
    ),
)


@given(st.lists(values, max_size=12), st.booleans())
def test_a_record_is_read_as_if_it_were_alone(tmp_path_factory: pytest.TempPathFactory, found: list[bytes | None], keep: bool) -> None:
    more = "filter: [{column: kind, keep: [a]}]\n" if keep else ""
    mapping = mapping_of(tmp_path_factory.getbasetemp(), PAYMENTS + more)
    together, alone = read(mapping, *found), [read(mapping, value, first=at) for at, value in enumerate(found)]
    assert bodies(together) == [item for one in alone for item in bodies(one)]
    assert [(f.offset, f.error) for f in together.faults] == [(f.offset, f.error) for one in alone for f in one.faults]
    assert together.tombstones == sum(one.tombstones for one in alone)
    assert together.filtered == sum(one.filtered for one in alone)


amounts = st.integers(0, 10**8).map(lambda minor: minor / 100) | st.integers(0, 10**6)


@given(st.lists(st.tuples(amounts, st.integers(0, 10**9), st.sampled_from(["c1", 7, "007"])), min_size=1, max_size=10))
def test_a_file_of_the_same_rows_is_the_same_payments(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, int, Any]]) -> None:
    folder = tmp_path_factory.mktemp("rows")
    text = (
        PAYMENTS.replace("who.customer", "customer").replace("{column: at}", "{column: at, unit: s}").replace("attributes: [channel]", "")
    )
    kind = type(rows[0][2])
    records = [
        {"id": f"p{n}", "at": at, "amount": a, "customer": c, "terminal": "t"} for n, (a, at, c) in enumerate(rows) if type(c) is kind
    ]
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    (folder / "world.yaml").write_text(text.replace("unit: s", "unit: s, earliest: '1970-01-01'"))
    world = import_world(path, load_mapping(str(folder / "world.yaml")), DirectoryStore(folder / "store"), NOW_US)
    frame = world.stream_part(world.manifest.stream_view[0])
    items = read(mapping_of(folder, (folder / "world.yaml").read_text()), *map(value_of, records))
    assert items.faults == []
    told = {
        item["event_id"]: (instants.parse(item["ts_utc"]), item["payload"]["amount_minor"], item["payload"]["entities"]["customer"])
        for item in bodies(items)
    }
    assert told == {row["source_id"]: (row["ts_us"], row["amount_minor"], row["entity.customer"]) for row in frame.iter_rows(named=True)}


def test_no_id_stands_twice_in_a_call_and_no_call_is_too_large(tmp_path: Path) -> None:
    rows = read(mapping_of(tmp_path), *(value_of(record(n)) for n in (1, 2, 1, 1, 3, 4, 5, 6))).rows
    assert [body.offsets for body in bodies_of(rows, 3)] == [[0, 1], [2], [3, 4, 5], [6, 7]]
    size = max(map(len, rows["body"]))
    cut = list(bodies_of(rows, 100, 2 * size + 3))
    assert all(len(body.data) <= 2 * size + 3 for body in cut)
    assert [offset for body in cut for offset in body.offsets] == list(range(8))
    assert [len(json.loads(body.data)) for body in cut] == [len(body.ids) for body in cut]


def test_a_refusal_of_the_gate_is_told_with_the_records_place() -> None:
    body = Body([4, 6, 9], ["a", "b", "c"], b"")
    told = {"error": "ENTITY_UNKNOWN", "detail": "d", "where": "$.x", "remedy": "r"}
    refused = {"admission": "QUARANTINE", "event_id": "b", **told}
    assert refused_of(body, {"results": [{"admission": "DUPLICATE", "event_id": "a"}, refused]}) == [Fault(6, *told.values())]
    whole = [{"admission": "ADMIT", "event_id": "x"}, refused, {**refused, "event_id": "y"}]
    assert [fault.offset for fault in refused_of(body, {"results": whole})] == [6, 9]
    assert refused_of(body, {"counts": {}}) == []
