"""Kafka's default partitioner: murmur2 of the key, its sign bit cleared, modulo the number of partitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.columns import I32, Strings
from assay.codecs.kernel import frozen, kernel, part

SEED = 0x9747B28C
MIX = 0x5BD1E995
MASK = 0xFFFFFFFF


@part
def murmur2(data: Any, start: int, length: int) -> Any:
    """murmur2 as Kafka's Java client computes it, as an unsigned 32-bit number (held in int64, products masked)."""
    word: Any = SEED ^ length
    for i in range(length // 4):
        at = start + 4 * i
        k = np.int64(data[at]) | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24
        k = (k * MIX) & MASK
        k = ((k ^ (k >> 24)) * MIX) & MASK
        word = ((word * MIX) & MASK) ^ k
    rest = length % 4
    if rest:
        at = start + length - rest
        for i in range(rest):
            word ^= np.int64(data[at + i]) << (8 * i)
        word = (word * MIX) & MASK
    word = ((word ^ (word >> 13)) * MIX) & MASK
    return word ^ (word >> 15)


@kernel
def _partitions(data: Any, starts: Any, lengths: Any, count: int, found: Any) -> None:
    for i in range(starts.shape[0]):
        found[i] = (murmur2(data, starts[i], max(lengths[i], 0)) & 0x7FFFFFFF) % count


def partitions_of(keys: Strings, count: int) -> I32:
    """Partition of each key, int32[n]. A null key counts as empty: every record here has a key."""
    found = np.zeros(len(keys.lengths), np.int32)
    if count > 1:
        _partitions(frozen(keys.data, np.uint8), frozen(keys.starts, np.int64), frozen(keys.lengths, np.int64), count, found)
    return found
