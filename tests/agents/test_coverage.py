"""Coverage: which offsets are done."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.agents.coverage import Coverage, runs


@given(st.lists(st.integers(0, 60)))
def test_coverage_knows_exactly_the_offsets_it_was_given(offsets: list[int]) -> None:
    coverage = Coverage()
    for offset in offsets:
        coverage.add(offset, offset)
    every = np.arange(64, dtype=np.int64)
    assert set(every[coverage.done(every)].tolist()) == set(offsets)
    assert coverage.base == min(set(range(64)) - set(offsets))


@given(st.lists(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_the_missing_offsets_of_a_range_are_those_not_given(offsets: list[int], first: int, last: int) -> None:
    coverage = Coverage()
    for offset in offsets:
        coverage.add(offset, offset)
    found = coverage.missing(first, last)
    assert [n for start, end in found for n in range(start, end + 1)] == sorted(set(range(first, last + 1)) - set(offsets))
    assert all(end >= start for start, end in found)
    assert all(a[1] + 1 < b[0] for a, b in zip(found, found[1:], strict=False))


@given(st.lists(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_untouched_if_none_of_its_offsets_was_given(offsets: list[int], first: int, more: int) -> None:
    coverage = Coverage()
    for offset in offsets:
        coverage.add(offset, offset)
    assert coverage.untouched(first, first + more) == (not set(offsets) & set(range(first, first + more + 1)))


def test_what_is_done_already_changes_nothing() -> None:
    coverage = Coverage()
    for run in ((0, 9), (2, 3), (12, 14), (0, 0)):
        coverage.add(*run)
    assert (coverage.base, coverage.acknowledged) == (10, [(12, 14)])


@given(st.permutations(range(0, 60, 7)), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=9))
def test_runs_of_offsets_are_covered_in_any_order(offsets: list[int], more: list[tuple[int, int]]) -> None:
    coverage, given_ = Coverage(), set[int]()
    for first, length in [*((offset, 0) for offset in offsets), *more]:
        coverage.add(first, first + length)
        given_ |= set(range(first, first + length + 1))
    every = np.arange(80, dtype=np.int64)
    assert set(every[coverage.done(every)].tolist()) == given_
    assert all(first > coverage.base for first, _ in coverage.acknowledged)


@given(st.sets(st.integers(0, 60)))
def test_runs_hold_exactly_their_offsets(offsets: set[int]) -> None:
    found = runs(np.array(sorted(offsets, reverse=True), np.int64))
    assert found == runs(np.array(sorted(offsets), np.int64))
    assert [n for first, last in found for n in range(first, last + 1)] == sorted(offsets)
    assert all(a[1] + 1 < b[0] for a, b in zip(found, found[1:], strict=False))


def test_a_copy_is_independent() -> None:
    coverage = Coverage()
    coverage.add(3, 4)
    twin = coverage.copy()
    twin.add(0, 2)
    assert (coverage.base, twin.base) == (0, 5)
