"""Draws for whole columns: uniforms, words, choices and quantiles, a row has its own place in the stream."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.codecs.kernel import Int, frozen, kernel
from assay.engine.philox import bits, chosen, two
from assay.engine.quantiles import Table, interpolated

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def uniforms(key: np.uint64, rows: int, draw: int = 0) -> tuple[Floats, Floats]:
    """Two columns of uniforms in [0, 1)."""
    left, right = np.empty(rows), np.empty(rows)
    _fill_two(key, draw, left, right)
    return frozen(left, np.float64), frozen(right, np.float64)


def identifiers(key: np.uint64, rows: int) -> NDArray[np.uint64]:
    """Hash-like ids of 63 bits, from 1 on: databases without unsigned integers hold them too."""
    made = np.empty(rows, np.uint64)
    _fill_words(key, made)
    shifted: NDArray[np.uint64] = np.maximum(made >> np.uint64(1), np.uint64(1))
    return shifted


def running(weights: ArrayLike, starts: ArrayLike | None = None) -> Floats:
    """Running sums, from left to right, that begin again at each of `starts` (ascending, the first is 0)."""
    ends = np.array(weights, np.float64)
    _sum_up(ends, frozen(np.asarray([0] if starts is None else starts), np.int64))
    return frozen(ends, np.float64)


def picks(u: Floats, ends: Floats, first: ArrayLike = 0, last: ArrayLike | None = None) -> Ints:
    """The choice of each row among first ≤ k < last by running sums `ends`, see `philox.chosen`."""
    made = np.empty(len(u), np.int64)
    bounds = [np.broadcast_to(np.asarray(bound), len(u)) for bound in (first, len(ends) if last is None else last)]
    _fill_chosen(u, ends, frozen(bounds[0], np.int64), frozen(bounds[1], np.int64), made)
    return made


def quantiles_at(table: Table, u: Floats) -> Floats:
    """The quantile of each row."""
    made = np.empty(len(u))
    _fill_quantiles(table, frozen(u, np.float64), made)
    return made


def starts_of(sizes: Ints) -> Ints:
    """Where groups of these sizes start in a column that holds them one after the other."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])[:-1]


def grouped_sums(values: ArrayLike, starts: Ints) -> Floats:
    """The sum of each group, added from left to right. `starts` as in `running`; no group is empty."""
    ends = running(values, starts)
    sums: Floats = ends[np.append(starts[1:], len(ends))[: len(starts)] - 1]
    return sums


def shares(values: ArrayLike, starts: Ints) -> Floats:
    """Values over the sum of their group."""
    weights = np.asarray(values, np.float64)
    sizes = np.diff(np.append(starts, len(weights)))[: len(starts)]
    return weights / np.repeat(grouped_sums(weights, starts), sizes)


@kernel
def _fill_two(key: Any, draw: Int, left: Any, right: Any) -> None:
    for row in range(len(left)):
        left[row], right[row] = two(key, row, draw)


@kernel
def _fill_words(key: Any, made: Any) -> None:
    for row in range(len(made)):
        made[row] = bits(key, row, 0)[0]


@kernel
def _fill_chosen(u: Any, ends: Any, first: Any, last: Any, made: Any) -> None:
    for row in range(len(made)):
        made[row] = chosen(u[row], ends, first[row], last[row])


@kernel
def _fill_quantiles(table: Any, u: Any, made: Any) -> None:
    for row in range(len(made)):
        made[row] = interpolated(table, u[row])


@kernel
def _sum_up(values: Any, starts: Any) -> None:
    for group in range(len(starts)):
        end = starts[group + 1] if group + 1 < len(starts) else len(values)
        for row in range(starts[group] + 1, end):
            values[row] += values[row - 1]
