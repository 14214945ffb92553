"""Exact distinct members: for each (key, member) pair the latest payment time.

A member is in a window exactly when its latest bucket is, so one number per pair is enough; the windows keep per bucket
how many members were last paid in it. Pairs that left every window are dropped when the table would have to grow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8
from assay.codecs.intrinsics import prefetch
from assay.codecs.kernel import Int, inlined, kernel
from assay.tables.growth import power_of_two
from assay.tables.windows import NEVER, NO_ELEMENT, PAYS

_FIRST_PAIRS = 64
_EMPTY = -1
#: rows between asking for a place and using it
_PREFETCH_ROWS = 8


@inlined
def _home(pair: Int, pairs: I64) -> Any:
    """The place where a pair is looked for first."""
    mixed = np.uint64(pair) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed ^ (mixed >> np.uint64(29))) & np.uint64(len(pairs) - 1)


@kernel
def _previous(roles: U8, keys: I32, elements: I32, times: I64, pairs: I64, used: I64, previous: I64, column: int) -> bool:
    """previous[i, column] = latest time of the pair of row i before it; NEVER if none, NO_ELEMENT if the row has no member.

    False and nothing is changed if the table would be more than half full.
    """
    n = len(elements)
    if 2 * (used[0] + n) > len(pairs):
        return False
    for i in range(-_PREFETCH_ROWS, n):
        ahead = i + _PREFETCH_ROWS
        if ahead < n and roles[ahead] == PAYS:
            prefetch(pairs, 2 * np.int64(_home(np.int64(keys[ahead]) << 32 | np.int64(elements[ahead]), pairs)))
        if i < 0:
            continue
        previous[i, column] = NO_ELEMENT
        if roles[i] != PAYS or keys[i] < 0 or elements[i] < 0:
            continue
        pair = np.int64(keys[i]) << 32 | np.int64(elements[i])
        at = _home(pair, pairs)
        while pairs[at, 0] != pair and pairs[at, 0] != _EMPTY:
            at = (at + np.uint64(1)) & np.uint64(len(pairs) - 1)
        if pairs[at, 0] == _EMPTY:
            pairs[at, 0] = pair
            pairs[at, 1] = times[i]
            previous[i, column] = NEVER
            used[0] += 1
        else:
            previous[i, column] = pairs[at, 1]
            pairs[at, 1] = max(pairs[at, 1], times[i])
    return True


class PairTable:
    """Latest payment time of every (key slot, member slot)."""

    def __init__(self) -> None:
        self._pairs = np.full((_FIRST_PAIRS, 2), _EMPTY, np.int64)
        self._used = np.zeros(1, np.int64)

    def fold(self, roles: U8, keys: I32, elements: I32, times: I64, previous: I64, column: int) -> bool:
        """Fold the rows that pay, in order; without a key or a member (-1) they change nothing.

        Writes column `column` of `previous` (n or more, p). False and nothing is changed if there is no room for a new pair per row.
        """
        return _previous(roles, keys, elements, times, self._pairs, self._used, previous, column)

    def held(self) -> I64:
        """All pairs as int64 (n, 3): key slot, member slot, latest time; in no particular order."""
        pairs = self._pairs[self._pairs[:, 0] != _EMPTY]
        return np.stack([pairs[:, 0] >> 32, pairs[:, 0] & 0xFFFFFFFF, pairs[:, 1]], axis=1)

    def rebuild(self, held: NDArray[Any], more: int) -> None:
        """Hold exactly these pairs, with room for `more` and for as many again, so that this is done seldom."""
        size = max(_FIRST_PAIRS, power_of_two(2 * (len(held) + max(more, len(held)))))
        self._pairs = np.full((size, 2), _EMPTY, np.int64)
        self._used[0] = 0
        keys, elements, times = held[:, 0].astype(np.int32), held[:, 1].astype(np.int32), held[:, 2].astype(np.int64)
        self.fold(np.full(len(held), PAYS, np.uint8), keys, elements, times, np.empty((len(held), 1), np.int64), 0)
