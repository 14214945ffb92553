"""Which offsets of one partition are done: a base and the few runs beyond it."""

from __future__ import annotations

from bisect import insort

import numpy as np
from numpy.typing import NDArray

from assay.codecs.column_survey import consecutive
from assay.codecs.columns import I64


class Coverage:
    """Every offset below `base` is done, and so are the runs in `acknowledged`. The next fetch starts at `base`."""

    def __init__(self, base: int = 0) -> None:
        self.base = base
        self.acknowledged: list[tuple[int, int]] = []

    def add(self, first: int, last: int) -> None:
        """Offsets first..last (inclusive) are done. Adding a done offset again changes nothing."""
        if first > self.base:
            insort(self.acknowledged, (first, last))
            return
        self.base = max(self.base, last + 1)
        while self.acknowledged and self.acknowledged[0][0] <= self.base:
            self.base = max(self.base, self.acknowledged.pop(0)[1] + 1)

    def untouched(self, first: int, last: int) -> bool:
        """Whether none of the offsets first..last (inclusive) is done."""
        return first >= self.base and not any(start <= last and end >= first for start, end in self.acknowledged)

    def done(self, offsets: I64) -> NDArray[np.bool_]:
        """For each offset whether it is done."""
        mask = offsets < self.base
        for first, last in self.acknowledged:
            mask |= (offsets >= first) & (offsets <= last)
        return mask

    def missing(self, first: int, last: int) -> list[tuple[int, int]]:
        """Runs (first, last) of the offsets first..last (inclusive) that are not done."""
        left: list[tuple[int, int]] = []
        at = max(first, self.base)
        for start, end in self.acknowledged:
            if end >= at and start <= last:
                if at < start:
                    left.append((at, start - 1))
                at = end + 1
        return [*left, (at, last)] if at <= last else left

    def copy(self) -> Coverage:
        """An independent copy."""
        twin = Coverage(self.base)
        twin.acknowledged = list(self.acknowledged)
        return twin


def runs(offsets: I64) -> list[tuple[int, int]]:
    """Sorted runs (first, last) that together hold exactly these offsets."""
    if not len(offsets):
        return []
    if consecutive(offsets):
        return [(int(offsets[0]), int(offsets[-1]))]
    ordered = np.sort(offsets)
    cuts = np.flatnonzero(np.diff(ordered) > 1)
    firsts = ordered[np.concatenate(([0], cuts + 1))]
    lasts = ordered[np.concatenate((cuts, [len(ordered) - 1]))]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))
