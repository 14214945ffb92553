"""Room for more rows: arrays grow by powers of two, so adding a row costs a constant on average."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def power_of_two(needed: int) -> int:
    """The smallest power of two that is at least `needed`."""
    return 1 << max(needed - 1, 0).bit_length()


def grown(array: NDArray[Any], needed: int) -> NDArray[Any]:
    """The array with room for `needed` rows: itself when it has it, else a copy filled up with zeros."""
    if needed <= len(array):
        return array
    larger = np.zeros((power_of_two(needed), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
