"""Counter-based random numbers: a number is a function of its key and its place, so rows can be made in any order and by any worker.

Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011). The key is 64 bits of a sha256 over the identity of the
world and the name of the stream; the counter is the row (64 bits) and the number of the draw in the row (64 bits).
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from assay.codecs.kernel import Int, inlined, part

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_TO_UNIT, _UNUSED = 2.0**-53, np.uint64(11)


def stream_key(*names: str | int) -> np.uint64:
    """The key of a stream: the first 64 bits of sha256 over its names, in order, each with its length before it."""
    texts = [str(name).encode() for name in names]
    digest = hashlib.sha256(b"".join(len(text).to_bytes(4, "big") + text for text in texts)).digest()
    return np.uint64(int.from_bytes(digest[:8], "big"))


@part
def bits(key: Any, row: Int, draw: Int) -> Any:
    """Two 64-bit words: words 0, 1 and 2, 3 of the Philox block, the first of each pair high."""
    k0, k1 = key & _LOW, key >> _HALF
    low, high = np.uint64(row), np.uint64(draw)
    c0, c1, c2, c3 = low & _LOW, low >> _HALF, high & _LOW, high >> _HALF
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return (c0 << _HALF) | c1, (c2 << _HALF) | c3


@inlined
def unit(word: Any) -> Any:
    """The upper 53 bits of a word as a float64 in [0, 1)."""
    return np.float64(word >> _UNUSED) * _TO_UNIT


@part
def two(key: Any, row: Int, draw: Int) -> Any:
    """Two float64 in [0, 1): draws 2 · draw and 2 · draw + 1 of the row, as it were."""
    first, second = bits(key, row, draw)
    return unit(first), unit(second)


@part
def one(key: Any, row: Int, draw: Int) -> Any:
    """The first of `two`."""
    return unit(bits(key, row, draw)[0])


@part
def below(u: Any, end: Int) -> Any:
    """An integer in [0, end) from a float64 in [0, 1). `end` is at least 1 and below 2^53."""
    drawn = np.int64(u * np.float64(end))
    return drawn if drawn < end else np.int64(end - 1)


@part
def chosen(u: Any, ends: Any, first: Int, last: Int) -> Any:
    """The first k of first ≤ k < last with u · total < ends[k], where `ends` are running sums of weights and ends[last - 1] their total."""
    at = u * ends[last - 1]
    low, high = np.int64(first), np.int64(last - 1)
    while low < high:
        middle = (low + high) >> 1
        if at < ends[middle]:
            high = middle
        else:
            low = middle + 1
    return low
