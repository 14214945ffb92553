"""Pairs of distinct counts: a table that was made anew has room for a while."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.codecs.columns import I64
from assay.tables.distinct import PairTable
from assay.tables.windows import LABELS, NEVER, NO_ELEMENT, NOTHING, PAYS


def _pairs(count: int) -> I64:
    numbers = np.arange(count, dtype=np.int64)
    return np.stack([numbers, numbers + 1, numbers * 10], axis=1)


def _folded(table: PairTable, first: int, count: int) -> bool:
    """Whether the table took so many new pairs."""
    keys = np.arange(first, first + count, dtype=np.int32)
    return table.fold(np.full(count, PAYS, np.uint8), keys, keys, np.zeros(count, np.int64), np.empty((count, 1), np.int64), 0)


@given(held=st.integers(1, 3_000), more=st.integers(1, 500))
def test_as_many_pairs_again_fit_a_table_that_was_made_anew(held: int, more: int) -> None:
    table = PairTable()
    table.rebuild(_pairs(held), more)
    assert _folded(table, held, max(held, more))


@given(held=st.integers(1, 3_000))
def test_a_batch_for_which_a_table_has_no_room_changes_nothing(held: int) -> None:
    table = PairTable()
    table.rebuild(_pairs(held), 1)
    assert not _folded(table, held, 4 * held + 64)
    found = table.held()
    assert np.array_equal(found[np.argsort(found[:, 0])], _pairs(held))


def test_rows_that_do_not_pay_and_rows_without_a_key_or_a_member_have_no_pair() -> None:
    table, previous = PairTable(), np.zeros((7, 1), np.int64)
    roles = np.array([PAYS, NOTHING, LABELS, PAYS, PAYS, PAYS, PAYS], np.uint8)
    keys, members = np.array([0, 1, 2, -1, 3, 0, 0], np.int32), np.array([5, 5, 5, 5, -1, 5, 5], np.int32)
    assert table.fold(roles, keys, members, np.array([10, 11, 12, 13, 14, 15, 9]), previous, 0)
    assert previous[:, 0].tolist() == [NEVER, NO_ELEMENT, NO_ELEMENT, NO_ELEMENT, NO_ELEMENT, 10, 15]
    assert table.held().tolist() == [[0, 5, 15]]


@given(held=st.integers(0, 3_000))
def test_a_table_holds_exactly_the_pairs_it_was_made_of(held: int) -> None:
    table = PairTable()
    table.rebuild(_pairs(held), 7)
    found = table.held()
    assert np.array_equal(found[np.argsort(found[:, 0])], _pairs(held))
