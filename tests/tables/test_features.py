"""The tables of the lane against the pure-Python fold, and their law: how a lane is cut into batches changes nothing."""

from __future__ import annotations

import numpy as np
from effort import drawn
from feature_worlds import DOCUMENT, SECOND, LaneRow, assertion, fact, pay, random_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_tables import Folded, assert_equals_reference, fold_in_batches
from states import written

from assay.contracts.reasons import Reason
from assay.tables.feature_plan import compile_plan

PLAN = compile_plan(DOCUMENT)
#: the last two are longer than `forget_after`: ids are forgotten and come again within one batch
STEPS = st.sampled_from([0, 0, 1, 400_000, SECOND, 3 * SECOND, 10 * SECOND, 29 * SECOND, 100 * SECOND, 150 * SECOND])
LATE = st.sampled_from([0, 0, 0, SECOND, 12 * SECOND, 45 * SECOND, 200 * SECOND])
IDS = st.sampled_from(["x", "y", None])
AMOUNTS = st.sampled_from([0, 1, 999, 54_321, 10**11 - 1, 10**11, -1])


@st.composite
def lanes(draw: st.DrawFn) -> list[LaneRow]:
    """Short lanes of payments, labels and context facts around one clock."""
    now, rows = 10**15 + draw(st.integers(0, 40 * SECOND)), []
    for i in range(draw(st.integers(1, 40))):
        now += draw(STEPS)
        what = draw(st.integers(0, 9))
        if what < 6:
            entities = {"account": draw(IDS), "merchant": draw(IDS), "device": draw(IDS)}
            rows.append(pay(f"p{i}", now - draw(LATE), draw(AMOUNTS), **entities))
        elif what < 9:
            rows.append(assertion(f"l{i}", now, f"p{draw(st.integers(0, i))}"))
        else:
            rows.append(fact(f"p{draw(st.integers(0, i))}", now, account=draw(IDS)))
    return rows


def assert_same_rows(one: Folded, other: Folded) -> None:
    """Values, verdicts and refusals, bit for bit."""
    for left, right in zip(one.rows, other.rows, strict=True):
        np.testing.assert_array_equal(np.asarray(left), np.asarray(right))


@settings(max_examples=drawn(150), deadline=None)
@given(lanes())
def test_the_kernel_equals_the_plain_python_fold(rows: list[LaneRow]) -> None:
    assert_equals_reference(PLAN, rows, fold_in_batches(PLAN, rows, []))


@settings(max_examples=drawn(150), deadline=None)
@given(lanes(), st.lists(st.integers(0, 40), max_size=6))
def test_cutting_a_lane_into_batches_changes_neither_values_nor_state(rows: list[LaneRow], cuts: list[int]) -> None:
    whole, parts = fold_in_batches(PLAN, rows, []), fold_in_batches(PLAN, rows, cuts)
    assert_same_rows(parts, whole)
    assert written(parts.tables.seen) == written(whole.tables.seen)
    assert parts.tables.written() == whole.tables.written()


@settings(max_examples=drawn(150), deadline=None)
@given(lanes(), st.lists(st.integers(0, 40), max_size=6))
def test_where_slots_are_freed_between_batches_changes_no_value(rows: list[LaneRow], cuts: list[int]) -> None:
    assert_same_rows(fold_in_batches(PLAN, rows, cuts, evict=True), fold_in_batches(PLAN, rows, []))


def test_tables_that_grow_equal_the_plain_python_fold() -> None:
    rows = random_rows(9, 4000, spread=60)
    folded = fold_in_batches(PLAN, rows, list(range(0, 4000, 61)))
    assert_equals_reference(PLAN, rows, folded)
    assert fold_in_batches(PLAN, rows, [1700]).tables.written() == folded.tables.written()


def test_pairs_that_left_every_window_are_dropped_when_their_table_would_have_to_grow() -> None:
    """Of ids that stay known: what is dropped at an eviction is another test's."""
    rows = [pay(f"p{n}", 10**15 + n * SECOND, account="a", merchant=f"m{n}", device=f"d{n % 20}") for n in range(3_000)]
    folded = fold_in_batches(PLAN, rows, list(range(0, 3_000, 61)))
    assert_equals_reference(PLAN, rows, folded)
    assert all(len(pairs.held()) < 300 for pairs in folded.tables.features.windows[0].pairs)


def test_a_long_lane_with_late_rows_gaps_nulls_and_duplicates_equals_the_plain_python_fold() -> None:
    rows = random_rows(7, 6000)
    folded = fold_in_batches(PLAN, rows, list(range(0, 6000, 97)))
    assert_equals_reference(PLAN, rows, folded)
    assert {None, Reason.LABEL_SUBJECT_UNKNOWN, Reason.AMOUNT_OUT_OF_RANGE} <= set(folded.rows.refusals)
    whole = fold_in_batches(PLAN, rows, [])
    assert whole.tables.written() == folded.tables.written()
    assert written(whole.tables.seen) == written(folded.tables.seen)
