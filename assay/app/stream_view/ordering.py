"""The stable order of rows by one or more int64 keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.app.stream_view.order_kernel import DIGIT_BITS, ascends, by_digit, ranks_in_order
from assay.codecs.columns import I64
from assay.codecs.kernel import frozen


def stable_order(keys: Sequence[I64]) -> NDArray[np.uint32] | None:
    """Row numbers uint32 (n,) by the first key, then the second, …, then by row; None where the rows stand so already.

    n is at most 2^32 - 1.
    """
    columns = [frozen(key, np.int64) for key in keys]
    if in_order(columns):
        return None
    order = np.arange(len(columns[0]), dtype=np.uint32)
    for key in reversed(columns):
        order = _refined(key, order)
    return order


def in_order(keys: Sequence[I64]) -> bool:
    """Whether no row is below the one before it."""
    if len(keys) == 1:
        return bool(ascends(frozen(keys[0], np.int64)))
    falls, equal = np.zeros(max(0, len(keys[0]) - 1), np.bool_), np.ones(max(0, len(keys[0]) - 1), np.bool_)
    for key in keys:
        falls |= equal & (key[1:] < key[:-1])
        equal &= key[1:] == key[:-1]
    return not falls.any()


def _refined(key: I64, order: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Rows of an order by a key; rows of an equal key stay as they are."""
    low, high = int(key.min()), int(key.max())
    ranks, next_ranks, next_order = np.empty(len(key), np.uint64), np.empty(len(key), np.uint64), np.empty(len(key), np.uint32)
    ranks_in_order(key, low, order, ranks)
    counts = np.empty(1 << DIGIT_BITS, np.int64)
    for shift in range(0, (high - low).bit_length(), DIGIT_BITS):
        by_digit(ranks, order, shift, counts, next_ranks, next_order)
        ranks, next_ranks, order, next_order = next_ranks, ranks, next_order, order
    return order
