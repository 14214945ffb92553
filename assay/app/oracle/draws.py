"""Random numbers that are the same on every platform: PCG64's raw stream, integer and exactly rounded arithmetic only."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

F64: TypeAlias = NDArray[np.float64]
I64: TypeAlias = NDArray[np.int64]

#: the sum of 12 uniforms has variance 1: a bell curve without exp, log or a table
_NORMAL_TERMS = 12


class Draws:
    """A seeded source. Neither numpy's distributions (their algorithms may change) nor libm is used."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def uniform(self, n: int) -> F64:
        """n doubles from [0, 1), 53 bits each."""
        raw = np.asarray(self._bits.random_raw(n), np.uint64)
        return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def between(self, low: float, high: float, n: int) -> F64:
        """n doubles from [low, high)."""
        return low + (high - low) * self.uniform(n)

    def below(self, ends: int | NDArray[Any], n: int) -> I64:
        """n integers, each from 0 to less than its end."""
        drawn: I64 = np.minimum((self.uniform(n) * ends).astype(np.int64), np.asarray(ends, np.int64) - 1)
        return drawn

    def bell(self, n: int) -> F64:
        """n doubles around 0 with standard deviation 1, never beyond 6."""
        total = np.zeros(n, np.float64)
        for _ in range(_NORMAL_TERMS):
            total += self.uniform(n)
        return total - _NORMAL_TERMS / 2

    def weighted(self, weights: I64, n: int) -> I64:
        """n indexes, each index as often as its integer weight says."""
        ends = np.cumsum(weights)
        return np.searchsorted(ends, self.below(int(ends[-1]), n), side="right").astype(np.int64)
