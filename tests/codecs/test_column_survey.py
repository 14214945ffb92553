"""One look at a column says what NumPy says in several."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.codecs.column_survey import FALLING, LEVEL, RISING, alike, behind, consecutive, span

NUMBERS = st.lists(st.integers(-3, 3) | st.sampled_from([-(2**63), 2**63 - 1]), min_size=1, max_size=8)


@given(NUMBERS | NUMBERS.map(sorted) | NUMBERS.map(lambda found: sorted(set(found))))
def test_the_span_of_a_column_is_its_lowest_its_highest_and_its_order(numbers: list[int]) -> None:
    order = RISING if numbers == sorted(set(numbers)) else LEVEL if numbers == sorted(numbers) else FALLING
    assert span(np.array(numbers, np.int64)) == (min(numbers), max(numbers), order)


@given(st.integers(-5, 5), st.lists(st.sampled_from([1, 1, 1, 1, 0, 2, -1]), max_size=6))
def test_consecutive_numbers_rise_by_one(first: int, steps: list[int]) -> None:
    numbers = np.cumsum([first, *steps])
    assert consecutive(numbers) == all(step == 1 for step in steps)
    assert consecutive(numbers[:0])


@pytest.mark.parametrize(
    ("topics", "partitions", "expected"),
    [([], [], True), ([3], [7], True), ([3, 3], [7, 7], True), ([3, 4], [7, 7], False), ([3, 3, 3], [7, 7, 8], False)],
)
def test_rows_of_one_partition_are_alike(topics: list[int], partitions: list[int], expected: bool) -> None:
    assert alike(np.array(topics, np.int16), np.array(partitions, np.int32)) is expected


PLACED = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), unique_by=lambda place: place[0], max_size=8).map(sorted)


@given(PLACED, PLACED, st.integers(0, 9) | st.just(-(2**63)))
def test_a_row_is_behind_if_a_mark_before_it_or_the_bound_is_later(
    rows: list[tuple[int, int]], marks: list[tuple[int, int]], bound: int
) -> None:
    expected = [time < max([bound, *(at for offset, at in marks if offset < place)]) for place, time in rows]
    offsets, times = np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.int64)
    found = behind(times, offsets, bound, np.array(marks, np.int64).reshape(-1, 2))
    assert found is None or found.any()
    assert (found.tolist() if found is not None else [False] * len(rows)) == expected
