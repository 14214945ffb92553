"""The feature table against the pure-Python fold, and its law: how a lane is cut into batches changes nothing."""

from __future__ import annotations

import numpy as np
from feature_worlds import DOCUMENT, SECOND, LaneRow, assert_equals_reference, assertion, fact, fold_in_batches, pay, random_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from states import written

from assay.tables.feature_plan import compile_plan

PLAN = compile_plan(DOCUMENT)
STEPS = st.sampled_from([0, 0, 1, 400_000, SECOND, 3 * SECOND, 10 * SECOND, 29 * SECOND, 100 * SECOND])
LATE = st.sampled_from([0, 0, 0, SECOND, 12 * SECOND, 45 * SECOND, 200 * SECOND])
IDS = st.sampled_from(["x", "y", None])
AMOUNTS = st.sampled_from([0, 1, 999, 54_321, 10**11 - 1])


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


@settings(max_examples=150, deadline=None)
@given(lanes())
def test_the_kernel_equals_the_plain_python_fold(rows: list[LaneRow]) -> None:
    assert_equals_reference(PLAN, rows, fold_in_batches(PLAN, rows, []))


@settings(max_examples=100, deadline=None)
@given(lanes(), st.lists(st.integers(0, 40), max_size=6))
def test_cutting_a_lane_into_batches_changes_neither_values_nor_state(rows: list[LaneRow], cuts: list[int]) -> None:
    whole, parts = fold_in_batches(PLAN, rows, []), fold_in_batches(PLAN, rows, cuts)
    assert parts.verdicts == whole.verdicts
    for left, right in zip(parts.batch, whole.batch, strict=True):
        np.testing.assert_array_equal(left, right)
    assert written(parts.seen) == written(whole.seen)
    assert written(parts.table) == written(whole.table)


def test_tables_that_grow_and_drop_expired_pairs_equal_the_plain_python_fold() -> None:
    rows = random_rows(9, 4000, spread=60)
    folded = fold_in_batches(PLAN, rows, list(range(0, 4000, 61)))
    assert_equals_reference(PLAN, rows, folded)
    assert written(fold_in_batches(PLAN, rows, [1700]).table) == written(folded.table)
    account = folded.table.windows[0]
    assert all(len(table.held()) < 1000 for table in account.pairs)


def test_a_long_lane_with_late_rows_gaps_nulls_and_duplicates_equals_the_plain_python_fold() -> None:
    rows = random_rows(7, 6000)
    folded = fold_in_batches(PLAN, rows, list(range(0, 6000, 97)))
    assert_equals_reference(PLAN, rows, folded)
    assert {0, 1, 2} <= set(folded.batch.refusals.tolist())
    whole = fold_in_batches(PLAN, rows, [])
    assert written(whole.table) == written(folded.table)
    assert written(whole.seen) == written(folded.seen)
