"""State as a value, changed rows for the changelogs, and the rows that people see."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import numpy as np
import pytest
from feature_worlds import DOCUMENT, SECOND, assertion, fact, pay, random_rows
from lane_tables import LaneTables, fold_in_batches, named
from states import written

from assay.codecs.columns import Columns, Strings
from assay.codecs.single_object import record_type
from assay.codecs.table_state import MAGIC, TableState, read_state
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.entity_graph import EntityGraph
from assay.tables.feature_plan import compile_plan
from assay.tables.features import FeatureTable

PLAN = compile_plan(DOCUMENT)
EVERY = range(len(PLAN.entities))
ACCOUNT, MERCHANT, DEVICE = EVERY
T0 = 1_520_000_000 * SECOND


def test_state_reads_back_equal_and_goes_on_equal() -> None:
    rows = random_rows(3, 1500)
    tables = fold_in_batches(PLAN, rows[:1000], [400], evict=True).tables
    restored = tables.restored()
    assert restored.written() == tables.written()
    for left, right in zip(tables.fold(rows[1000:]), restored.fold(rows[1000:]), strict=True):
        np.testing.assert_array_equal(np.asarray(left), np.asarray(right))
    for one in (tables, restored):
        one.evict()
        one.fold([pay("last", T0, account="late")])
    assert restored.written() == tables.written()


def test_a_short_horizon_forgets_subjects_and_no_cut_can_be_seen() -> None:
    rows = random_rows(5, 800)
    whole = fold_in_batches(PLAN, rows, [], horizon=(60 * SECOND, 50))
    parts = fold_in_batches(PLAN, rows, list(range(0, 800, 37)), horizon=(60 * SECOND, 50))
    np.testing.assert_array_equal(whole.rows.longs, parts.rows.longs)
    assert whole.rows.refusals == parts.rows.refusals
    assert whole.tables.written() == parts.tables.written()


def read_graph(plan: Any, state: TableState) -> EntityGraph:
    return EntityGraph.from_state(plan, state)


def read_features(plan: Any, state: TableState) -> FeatureTable:
    return FeatureTable.from_state(plan, EntityGraph(plan).view(), state)


READERS = pytest.mark.parametrize(("table", "read"), [(EntityGraph, read_graph), (FeatureTable, read_features)])


@READERS
def test_state_of_another_document_is_refused(table: Any, read: Any) -> None:
    value = table(PLAN).state()
    with pytest.raises(Stop) as refused:
        read(compile_plan(DOCUMENT | {"revision": "2"}), value)
    assert refused.value.reason is Reason.STATE_OF_ANOTHER_PLAN
    assert str(value.header["table"]) in refused.value.what


def headed(head: bytes) -> bytes:
    """A state of no arrays that has this header."""
    return MAGIC + head + len(head).to_bytes(8, "little") + MAGIC


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-1],
        lambda b: b + b"\x00",
        lambda _: b"",
        lambda b: b"\xff" * len(b),
        lambda b: b[:-18] + b"[]" + b[-16:],
        lambda _: headed(b"[" * 5_000),
        lambda _: headed(b'{"arrays":{"a":{"at":8,"bytes":0,"form":"plain","dtype":"<i8","shape":[-1]}},"state":{}}'),
        lambda _: headed(b'{"arrays":{"a":{"at":8,"bytes":0,"form":"plain","dtype":"<i8","shape":[99999999999999999999]}},"state":{}}'),
    ],
)
@READERS
def test_damaged_state_is_refused(damage: Any, table: Any, read: Any) -> None:
    with pytest.raises(Stop) as refused:
        read(PLAN, read_state(damage(written(table(PLAN)))))
    assert refused.value.reason is Reason.STATE_UNREADABLE


def text(columns: Columns, name: str) -> list[str | None]:
    column = columns[name]
    assert isinstance(column, Strings)
    return column.text()


def numbers(columns: Columns, name: str) -> list[int]:
    column = columns[name]
    assert isinstance(column, np.ndarray)
    return [int(value) for value in column]


def test_changed_rows_come_in_slot_order_for_every_reader() -> None:
    tables = LaneTables(PLAN)
    tables.fold([pay("p0", T0, 700, account="b", merchant="m"), pay("p1", T0 + SECOND, 300, account="a")])
    tables.fold([pay("p2", T0 + 2 * SECOND, 5, account="b"), fact("c0", T0 + 9 * SECOND, device="d")])
    tables.fold([assertion("l0", T0 + 9 * SECOND, "p0")])
    graph = tables.graph.view()
    for _ in range(2):  # a reader changes nothing for the next
        features = tables.changed_features(ACCOUNT, -1)
        assert text(features, "key") == ["account:b", "account:a"]
        assert text(features, "id") == ["b", "a"]
        assert numbers(features, "event_count") == [2, 1]
        assert numbers(features, "last_ts_utc") == [T0 + 2 * SECOND, T0 + SECOND]
        rows = graph.rows(ACCOUNT, graph.changed_since(ACCOUNT, -1))
        assert numbers(rows, "first_seen_utc") == [T0, T0 + SECOND]
        assert numbers(rows, "last_seen_utc") == [T0 + 2 * SECOND, T0 + SECOND]
        assert text(named(graph, DEVICE, graph.changed_since(DEVICE, -1)), "id") == ["d"]
    since = [[text(tables.changed_features(e, sequence), "id") for e in EVERY] for sequence in (-1, 0, 1, 2)]
    assert since == [[["b", "a"], ["m"], []], [["b"], ["m"], []], [["b"], ["m"], []], [[], [], []]], "a fraud label changes windows"
    assert [[graph.changed_since(e, sequence).tolist() for e in EVERY] for sequence in (0, 1)] == [[[0], [], [0]], [[], [], []]]


def test_a_changed_row_lists_its_windows_at_the_current_bucket() -> None:
    rows = [pay("p0", T0, 700, merchant="m"), pay("p1", T0 + SECOND, 50, merchant="m"), assertion("l", T0 + SECOND, "p0")]
    windows = fold_in_batches(PLAN, rows, []).tables.changed_features(MERCHANT, -1)["windows"]
    assert isinstance(windows, Strings)
    (listed,) = [window_list(body or b"") for body in windows.tolist()]
    assert listed == {"20s/10s+30s": [0, 0, 0], "40s/10s+20s": [0, 0, 0], "1min/10s": [2, 750, 1], "6s/3s+9s": [0, 0, 0]}


def window_list(body: bytes) -> dict[str, list[int]]:
    """A list of windows as the changelog record holds it."""
    schema = next(field["type"] for field in record_type("feature_row").schema["fields"] if field["name"] == "windows")
    rest = io.BytesIO(body)
    read = fastavro.schemaless_reader(rest, schema, None)
    assert isinstance(read, list)
    assert rest.read() == b""
    return {w["name"]: [w["count"], w["sum_minor"], w["fraud_count"]] for w in read}


def test_reading_a_row_replaces_nothing_that_a_fold_in_another_thread_writes_to() -> None:
    """An id that has a slot and no line yet."""
    tables = fold_in_batches(PLAN, [fact(f"c{n}", T0, device=f"d{n}") for n in range(200)], []).tables
    lines = tables.features.windows[DEVICE].lines
    assert len(lines) < 200
    row = tables.features.view().row(tables.graph.view(), "device", "d199")
    assert row is not None
    assert row["payment_count"] == 0
    assert tables.features.windows[DEVICE].lines is lines


def test_the_rows_of_an_id_say_what_is_known_of_it() -> None:
    rows = [pay("p0", T0, 700, account="a"), fact("c0", T0 + SECOND, account="a", device="d")]
    tables = fold_in_batches(PLAN, rows, []).tables
    features, graph = tables.features.view(), tables.graph.view()
    row, graph_row = features.row(graph, "account", "a"), graph.row("account", "a")
    assert row is not None
    assert graph_row == {"entity": "account", "id": "a", "first_seen_us": T0, "last_seen_us": T0 + SECOND, "event_count": 2}
    assert graph_row.items() <= row.items()
    assert (row["payment_count"], row["last_payment_us"]) == (1, T0)
    assert row["windows"]["30s/10s"] == {"count": 1, "sum_minor": 700, "fraud_count": 0}
    device = features.row(graph, "device", "d")
    assert device is not None
    assert (device["payment_count"], device["last_payment_us"], device["windows"]) == (0, None, {})
    for entity, unknown in (("account", "z"), ("terminal", "a")):
        assert features.row(graph, entity, unknown) is None
        assert graph.row(entity, unknown) is None
