"""Pairs of distinct counts: a table that was made anew has room for a while."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.codecs.columns import I64
from assay.tables.distinct import PairTable


def _pairs(count: int) -> I64:
    numbers = np.arange(count, dtype=np.int64)
    return np.stack([numbers, numbers + 1, numbers * 10], axis=1)


@given(held=st.integers(1, 3_000), more=st.integers(1, 500))
def test_as_many_pairs_again_fit_a_table_that_was_made_anew(held: int, more: int) -> None:
    table = PairTable()
    table.rebuild(_pairs(held), more)
    assert table.has_room(max(held, more))


@given(held=st.integers(0, 3_000))
def test_a_table_holds_exactly_the_pairs_it_was_made_of(held: int) -> None:
    table = PairTable()
    table.rebuild(_pairs(held), 7)
    found = table.held()
    assert np.array_equal(found[np.argsort(found[:, 0])], _pairs(held))
