"""One look at whole columns: their order, their size, the times behind a bound. Nothing is changed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64
from assay.codecs.kernel import frozen, kernel

#: the order of numbers from row to row
FALLING, LEVEL, RISING = range(3)


class Span(NamedTuple):
    """The lowest and the highest number of a column that is not empty.

    `order` is RISING if each number is larger than the one before, LEVEL if some are equal, FALLING if one is smaller.
    """

    low: int
    high: int
    order: int


def span(numbers: NDArray[Any]) -> Span:
    """The span of n integers, n at least 1."""
    return Span(*_span(frozen(numbers, np.int64)))


def consecutive(numbers: I64) -> bool:
    """Whether each number is one more than the one before."""
    found: bool = _consecutive(frozen(numbers, np.int64))
    return found


def alike(topics: NDArray[Any], partitions: NDArray[Any]) -> bool:
    """Whether all rows have the same topic and the same partition."""
    found: bool = _alike(frozen(topics, np.int16), frozen(partitions, np.int32))
    return found


def behind(times: NDArray[Any], offsets: NDArray[Any], bound: int, marks: I64) -> NDArray[np.bool_] | None:
    """Which rows have a time before `bound` or before the time of a mark at a lower offset; None if no row has.

    Rows are in the order of their offsets, and so are the marks (m, 2): offset, time.
    """
    found = np.empty(len(times), np.bool_)
    count = _behind(frozen(times, np.int64), frozen(offsets, np.int64), bound, frozen(marks, np.int64), found)
    return found if count else None


@kernel
def _span(numbers: I64) -> tuple[int, int, int]:
    low = high = last = numbers[0]
    rising = level = True
    for i in range(1, len(numbers)):
        number = numbers[i]
        rising = rising and number > last
        level = level and number >= last
        low = min(low, number)
        high = max(high, number)
        last = number
    return low, high, 2 if rising else 1 if level else 0


@kernel
def _consecutive(numbers: I64) -> bool:
    for i in range(1, len(numbers)):  # noqa: SIM110 - a kernel makes no generator
        if numbers[i] != numbers[i - 1] + 1:
            return False
    return True


@kernel
def _alike(topics: NDArray[np.int16], partitions: I32) -> bool:
    for i in range(1, min(len(topics), len(partitions))):  # noqa: SIM110 - a kernel makes no generator
        if topics[i] != topics[0] or partitions[i] != partitions[0]:
            return False
    return True


@kernel
def _behind(times: I64, offsets: I64, bound: int, marks: I64, found: NDArray[np.bool_]) -> int:
    mark = 0
    count = 0
    for i in range(min(len(times), len(offsets))):
        while mark < marks.shape[0] and marks[mark, 0] < offsets[i]:
            bound = max(bound, marks[mark, 1])
            mark += 1
        found[i] = times[i] < bound
        count += found[i]
    return count
