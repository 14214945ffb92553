"""The stable order of int64 keys by counting digits: compiled, and the same for every number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.kernel import kernel

DIGIT_BITS = 11
_MASK = np.uint64((1 << DIGIT_BITS) - 1)


@kernel
def ascends(keys: Any) -> bool:
    """Whether no key int64 (n,) is below the one before it."""
    falls = 0
    for i in range(1, len(keys)):
        falls += keys[i] < keys[i - 1]
    return falls == 0


@kernel
def ranks_in_order(keys: Any, low: Any, order: Any, ranks: Any) -> None:
    """Write key - low of each row of an order: int64 (n,), uint32 (n,) → uint64 (n,)."""
    base = np.uint64(low)
    for i in range(len(order)):
        ranks[i] = np.uint64(keys[order[i]]) - base


@kernel
def by_digit(ranks: Any, order: Any, shift: Any, counts: Any, next_ranks: Any, next_order: Any) -> None:
    """One pass: rows by the digit of their rank at a shift, rows of an equal digit as they were. `counts`: int64 (2 ** DIGIT_BITS,)."""
    move = np.uint64(shift)
    counts[:] = 0
    for i in range(len(ranks)):
        counts[(ranks[i] >> move) & _MASK] += 1
    at = 0
    for digit in range(len(counts)):
        count = counts[digit]
        counts[digit] = at
        at += count
    for i in range(len(ranks)):
        digit = (ranks[i] >> move) & _MASK
        place = counts[digit]
        counts[digit] = place + 1
        next_ranks[place] = ranks[i]
        next_order[place] = order[i]
