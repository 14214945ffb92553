"""Ids that nobody meets any more are forgotten, no window sees it, and state stays flat in time."""

from __future__ import annotations

import numpy as np
import pytest
from feature_worlds import (
    DOCUMENT,
    SECOND,
    LaneRow,
    assert_equals_reference,
    assertion,
    fact,
    fold_in_batches,
    lane_columns,
    pay,
    random_rows,
    values_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from states import read_back, written

from assay.codecs.columns import Columns, Strings
from assay.contracts.errors import Stop
from assay.tables.dedupe import SeenIds
from assay.tables.feature_plan import compile_plan
from assay.tables.features import FeatureBatch, FeatureTable

PLAN = compile_plan(DOCUMENT)
EVERY = range(len(PLAN.entities))
IDLE = PLAN.idle_us
T0 = 1_520_000_000 * SECOND


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_values_equal_the_plain_python_fold_while_slots_go_from_id_to_id(seed: int, batch: int) -> None:
    rows = random_rows(seed, 400, spread=40)
    assert_equals_reference(PLAN, rows, fold_in_batches(PLAN, rows, list(range(0, 400, batch)), reclaim=True))


def test_a_long_lane_in_which_slots_go_from_id_to_id_equals_the_plain_python_fold() -> None:
    rows = random_rows(21, 12_000, spread=200)
    folded = fold_in_batches(PLAN, rows, list(range(0, 12_000, 50)), reclaim=True)
    assert_equals_reference(PLAN, rows, folded)
    account = folded.table.entities[0]
    assert account.slots < 700, "of the 1,000 accounts at most 700 are known at a time"
    restored = FeatureTable.from_state(PLAN, read_back(folded.table))
    assert written(restored) == written(folded.table)


def fold_more(table: FeatureTable, seen: SeenIds, rows: list[LaneRow]) -> FeatureBatch:
    columns = lane_columns(rows, PLAN.entities)
    return table.fold(columns, np.zeros(len(rows), np.bool_), seen.fold(columns))


def test_state_does_not_grow_with_time() -> None:
    table, seen, sizes = FeatureTable(PLAN), SeenIds(IDLE, 10**6), []
    for start in range(0, 20_000, 200):
        rows = [pay(f"p{i}", T0 + i * SECOND, account=f"a{i}", merchant=f"m{i}", device=f"d{i % 7}") for i in range(start, start + 200)]
        part = fold_more(table, seen, rows)
        assert part.refusals.sum() == 0
        table.take_dead(EVERY)
        sizes.append(len(written(table)))
    assert max(sizes[50:]) <= 1.2 * max(sizes[10:50])
    assert table.entities[0].slots < 1_000


def test_an_id_is_forgotten_when_it_was_idle_for_longer_than_the_document_says() -> None:
    last_known, first_forgotten = (
        fold_in_batches(PLAN, [pay("p0", T0, account="a"), pay("p1", T0 + later, account="a")], []).batch for later in (IDLE, IDLE + 1)
    )
    assert values_of(PLAN, last_known, 1)["a_since"] == IDLE // 1_000
    assert values_of(PLAN, first_forgotten, 1)["a_since"] == -1


def test_a_context_fact_keeps_an_id_known() -> None:
    rows = [pay("p0", T0, account="a"), fact("c", T0 + IDLE, account="a"), pay("p1", T0 + 2 * IDLE, account="a")]
    assert values_of(PLAN, fold_in_batches(PLAN, rows, []).batch, 2)["a_since"] == 2 * IDLE // 1_000


def test_who_takes_the_slot_of_a_forgotten_id_takes_nothing_of_it() -> None:
    """Even late rows, which see windows that its payments were in: neither its members nor its frauds count for them."""
    crowd = [pay(f"x{n}", T0, account=f"x{n}", merchant=f"x{n}") for n in range(40)]
    clock = [pay(f"c{n}", T0 + n * SECOND, device="d") for n in range(1, IDLE // SECOND + 40)]
    late = [
        pay("late", T0 + SECOND, account="b", merchant="n"),
        assertion("l", T0 + SECOND, "p0"),
        pay("later", T0 + 2 * SECOND, merchant="n"),
    ]
    rows = [pay("p0", T0, account="a", merchant="m"), *crowd, *clock, *late]
    folded = fold_in_batches(PLAN, rows, [100, len(rows) - 3, len(rows) - 2, len(rows) - 1], reclaim=True)
    assert [ids.ids(np.array([0])).text() for ids in folded.table.entities[:2]] == [["b"], ["n"]]
    assert values_of(PLAN, folded.batch, len(rows) - 3)["a_merchants_now"] == 1
    assert values_of(PLAN, folded.batch, len(rows) - 1)["m_frauds"] == 0
    assert_equals_reference(PLAN, rows, folded)


def test_a_fraud_of_a_payment_whose_slot_is_free_is_not_there_when_the_next_id_takes_it() -> None:
    crowd = [pay(f"x{n}", T0, account=f"x{n}", merchant=f"x{n}") for n in range(40)]
    clock = [pay(f"c{n}", T0 + n * SECOND, device="d") for n in range(1, IDLE // SECOND + 40)]
    late = [assertion("l", T0 + SECOND, "p0"), *(pay(f"late{n}", T0 + n * SECOND, account="b") for n in (1, 13))]
    rows = [pay("p0", T0, account="a", merchant="m"), *crowd, *clock, *late]
    folded = fold_in_batches(PLAN, rows, [100, *range(len(rows) - 3, len(rows))], reclaim=True)
    assert folded.table.entities[0].ids(np.array([0])).text() == ["b"]
    assert values_of(PLAN, folded.batch, len(rows) - 1)["a_frauds"] == 0


def test_leaps_of_the_clock_within_a_batch_forget_as_they_do_row_by_row() -> None:
    rows = [
        pay("p0", T0, account="a", merchant="m"),
        pay("p1", T0 + 2 * IDLE, account="a", merchant="n"),
        assertion("l0", T0 + 2 * IDLE, "p0"),
        assertion("l1", T0 + 2 * IDLE, "p1"),
        pay("p2", T0 + 2 * IDLE + SECOND, account="a", merchant="n"),
        pay("p3", T0 + 4 * IDLE, account="a", merchant="n"),
    ]
    whole, single = fold_in_batches(PLAN, rows, []), fold_in_batches(PLAN, rows, [1, 2, 3, 4, 5])
    assert_equals_reference(PLAN, rows, whole)
    assert written(whole.table) == written(single.table)


def text(columns: Columns, name: str) -> list[str | None]:
    column = columns[name]
    assert isinstance(column, Strings)
    return column.text()


def test_what_is_forgotten_is_named_once_and_is_no_row_any_more() -> None:
    rows = [pay("p0", T0, account="a", merchant="m"), *(pay(f"p{n}", T0 + n * IDLE, merchant="n") for n in range(1, 4))]
    table = fold_in_batches(PLAN, rows, []).table
    dead = table.take_dead(EVERY)
    assert list(zip(text(dead, "entity"), text(dead, "id"), strict=True))[:2] == [("account", "a"), ("merchant", "m")]
    assert text(table.take_dead(EVERY), "id") == []
    assert table.row("account", "a") is None
    assert table.row("merchant", "n") is not None
    assert "a" not in text(table.changed_features(EVERY), "id") + text(table.changed_entities(EVERY), "id")


@pytest.mark.parametrize("forget_after", ["70s", "1s", "0s", "", 5, None])
def test_a_document_that_forgets_sooner_than_a_window_reaches_back_is_refused(forget_after: object) -> None:
    with pytest.raises(Stop, match="forget_after"):
        compile_plan({**DOCUMENT, "forget_after": forget_after})


def test_a_document_that_does_not_say_forgets_after_30_days_or_when_its_longest_window_is_over() -> None:
    assert compile_plan({key: value for key, value in DOCUMENT.items() if key != "forget_after"}).idle_us == 30 * 86_400 * SECOND
