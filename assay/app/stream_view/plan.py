"""How the keys of an output lie in its parts: which ranges of keys become buckets, and when a bucket has all its rows.

A plan decides about memory and never about rows: another plan gives the same view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64

SAMPLE_ROWS = 2_048
#: row numbers of buckets are sorted as 16-bit numbers
BUCKETS_MAX = 4_096
_END = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Extent:
    """The first keys of a part: rows, smallest, largest, and every k-th. `sample`: int64; empty without rows."""

    rows: int
    low: int
    high: int
    sample: I64


def extent_of(keys: I64) -> Extent:
    """The extent of int64 keys (n,)."""
    if not len(keys):
        return Extent(0, _END, -_END - 1, keys)
    step = -(-len(keys) // SAMPLE_ROWS)
    return Extent(len(keys), int(keys.min()), int(keys.max()), np.array(keys[::step]))


@dataclass(frozen=True)
class Plan:
    """`splits`: bucket b holds keys from splits[b - 1] to before splits[b]. `later_low`: smallest key of all parts after each part."""

    splits: I64
    later_low: I64

    @property
    def buckets(self) -> int:
        """Their number."""
        return len(self.splits) + 1

    def bucket_of(self, keys: I64) -> NDArray[np.uint16]:
        """The bucket of each key."""
        return np.searchsorted(self.splits, keys, side="right").astype(np.uint16)

    def complete_after(self, part: int) -> int:
        """How many buckets, from the first on, have all their rows when a part is read."""
        if part == len(self.later_low) - 1:
            return self.buckets
        return int(np.searchsorted(self.splits, self.later_low[part], side="right"))


def plan_of(extents: Sequence[Extent], bucket_rows: int) -> Plan:
    """Buckets of about so many rows."""
    rows = sum(extent.rows for extent in extents)
    later = np.full(len(extents), _END, np.int64)
    later[:-1] = np.minimum.accumulate(np.array([extent.low for extent in extents], np.int64)[:0:-1])[::-1]
    buckets = min(BUCKETS_MAX, -(-rows // max(1, bucket_rows)))
    if buckets < 2:
        return Plan(np.empty(0, np.int64), later)
    samples = np.concatenate([extent.sample for extent in extents])
    weights = np.concatenate([np.full(len(extent.sample), extent.rows / max(1, len(extent.sample))) for extent in extents])
    order = np.argsort(samples, kind="stable")
    reached = np.cumsum(weights[order])
    at = np.searchsorted(reached, rows / buckets * np.arange(1, buckets))
    return Plan(np.unique(samples[order][np.minimum(at, len(samples) - 1)]), later)
