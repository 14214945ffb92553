"""State as a value, changed rows for the changelogs, and the row people see."""

from __future__ import annotations

import numpy as np
import pytest
from feature_worlds import DOCUMENT, SECOND, assertion, fact, fold_in_batches, lane_columns, pay, random_rows
from states import read_back, written

from assay.codecs.columns import Columns, Ragged, Strings
from assay.codecs.table_state import MAGIC, read_state
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.dedupe import SeenIds
from assay.tables.feature_plan import compile_plan
from assay.tables.features import FeatureTable

PLAN = compile_plan(DOCUMENT)
EVERY = range(len(PLAN.entities))
T0 = 1_520_000_000 * SECOND


def test_state_reads_back_equal_and_goes_on_equal() -> None:
    rows = random_rows(3, 1500)
    folded = fold_in_batches(PLAN, rows[:1000], [400])
    table, seen = FeatureTable.from_state(PLAN, read_back(folded.table)), SeenIds.from_state(read_back(folded.seen))
    assert written(table) == written(folded.table)
    columns = lane_columns(rows[1000:], PLAN.entities, 1000)
    left = folded.table.fold(columns, np.zeros(500, np.bool_), folded.seen.fold(columns))
    right = table.fold(columns, np.zeros(500, np.bool_), seen.fold(columns))
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)
    assert written(table) == written(folded.table)


def test_a_short_horizon_forgets_subjects_and_no_cut_can_be_seen() -> None:
    rows = random_rows(5, 800)
    whole = fold_in_batches(PLAN, rows, [], horizon=(60 * SECOND, 50))
    parts = fold_in_batches(PLAN, rows, list(range(0, 800, 37)), horizon=(60 * SECOND, 50))
    np.testing.assert_array_equal(whole.batch.longs, parts.batch.longs)
    np.testing.assert_array_equal(whole.batch.refusals, parts.batch.refusals)
    assert written(whole.table) == written(parts.table)


def test_state_of_another_document_is_refused() -> None:
    value = FeatureTable(PLAN).state()
    with pytest.raises(Stop) as refused:
        FeatureTable.from_state(compile_plan(DOCUMENT | {"revision": "2"}), value)
    assert refused.value.reason is Reason.STATE_OF_ANOTHER_PLAN


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
def test_damaged_state_is_refused(damage: object) -> None:
    assert callable(damage)
    with pytest.raises(Stop) as refused:
        FeatureTable.from_state(PLAN, read_state(damage(written(FeatureTable(PLAN)))))
    assert refused.value.reason is Reason.STATE_UNREADABLE


def text(columns: Columns, name: str) -> list[str | None]:
    column = columns[name]
    assert isinstance(column, Strings)
    return column.text()


def numbers(columns: Columns, name: str) -> list[int]:
    column = columns[name]
    assert isinstance(column, np.ndarray)
    return [int(value) for value in column]


def test_changed_rows_come_in_slot_order_once_and_are_then_cleared() -> None:
    rows = [
        pay("p0", T0, 700, account="b", merchant="m"),
        pay("p1", T0 + SECOND, 300, account="a"),
        pay("p2", T0 + 2 * SECOND, 5, account="b"),
        fact("c0", T0 + 9 * SECOND, device="d"),
        assertion("l0", T0 + 9 * SECOND, "p0"),
    ]
    folded = fold_in_batches(PLAN, rows, [])
    features, entities = folded.table.changed_features(EVERY), folded.table.changed_entities(EVERY)
    assert list(zip(text(features, "entity"), text(features, "id"), strict=True)) == [("account", "b"), ("account", "a"), ("merchant", "m")]
    assert numbers(features, "event_count") == [2, 1, 1]
    assert numbers(features, "last_ts_utc") == [T0 + 2 * SECOND, T0 + SECOND, T0]
    assert text(entities, "id") == ["b", "a", "m", "d"]
    assert numbers(entities, "first_seen_utc") == [T0, T0 + SECOND, T0, T0 + 9 * SECOND]
    assert numbers(entities, "last_seen_utc") == [T0 + 2 * SECOND, T0 + SECOND, T0, T0 + 9 * SECOND]
    assert text(folded.table.changed_features(EVERY), "id") == []
    assert text(folded.table.changed_entities(EVERY), "id") == []


def test_a_changed_row_lists_its_windows_at_the_current_bucket() -> None:
    rows = [pay("p0", T0, 700, merchant="m"), pay("p1", T0 + SECOND, 50, merchant="m"), assertion("l", T0 + SECOND, "p0")]
    windows = fold_in_batches(PLAN, rows, []).table.changed_features(EVERY)["windows"]
    assert isinstance(windows, Ragged)
    listed = {
        name: values
        for name, *values in zip(
            windows.children["name"].text(), *(windows.children[c].tolist() for c in ("count", "sum_minor", "fraud_count")), strict=True
        )
    }
    assert windows.offsets.tolist() == [0, 4]
    assert listed == {"20s/10s+30s": [0, 0, 0], "40s/10s+20s": [0, 0, 0], "1min/10s": [2, 750, 1], "6s/3s+9s": [0, 0, 0]}


def test_reading_a_row_replaces_nothing_that_a_fold_in_another_thread_writes_to() -> None:
    """An id that has a slot and no line yet."""
    table = fold_in_batches(PLAN, [fact(f"c{n}", T0, device=f"d{n}") for n in range(200)], []).table
    windows = table.windows[PLAN.entities.index("device")]
    windows.lines = windows.lines[:64]
    before = windows.lines
    assert (table.row("device", "d199") or {})["payment_count"] == 0
    assert windows.lines is before


def test_the_row_of_an_id_says_what_is_known_of_it() -> None:
    table = fold_in_batches(PLAN, [pay("p0", T0, 700, account="a"), fact("c0", T0 + SECOND, account="a", device="d")], []).table
    row = table.row("account", "a")
    assert row is not None
    assert (row["first_seen_us"], row["last_seen_us"], row["event_count"]) == (T0, T0 + SECOND, 2)
    assert (row["payment_count"], row["last_payment_us"]) == (1, T0)
    assert row["windows"]["30s/10s"] == {"count": 1, "sum_minor": 700, "fraud_count": 0}
    device = table.row("device", "d")
    assert device is not None
    assert (device["payment_count"], device["last_payment_us"], device["windows"]) == (0, None, {})
    assert table.row("account", "z") is None
    assert table.row("terminal", "a") is None
