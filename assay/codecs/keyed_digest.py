"""A 32-byte digest of every row under a secret key, for comparing two sides that one program reads: NH of UMAC, four times over.

For two different rows, chosen by anybody who does not know the key, the chance of equal digests is at most 2^-128: NH with 32-bit
words misses with 2^-32, and the four sums use the key shifted by two words each (Black, Halevi, Krawczyk, Krovetz, Rogaway:
"UMAC", theorems 4.2 and 4.3). One multiplication per eight bytes and sum makes it many times faster than sha256. It is of no
use for anything that is kept or shown: under another key it is another digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import shake_256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64, Strings
from assay.codecs.intrinsics import load64
from assay.codecs.kernel import frozen, kernel

SUMS = 4
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


class Key:
    """A key as long as the longest row asks for; the same secret gives the same key."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._words = self._drawn(256)

    def words(self, longest: int) -> NDArray[np.uint64]:
        """At least as many words as rows of `longest` bytes need."""
        needed = (longest + 7) // 8 + SUMS
        if needed > len(self._words):
            self._words = self._drawn(2 * needed)
        return self._words

    def _drawn(self, count: int) -> NDArray[np.uint64]:
        return np.frombuffer(shake_256(self._secret).digest(8 * count), "<u8").astype(np.uint64)


def keyed_digests(key: Key, rows: Strings) -> NDArray[Any]:
    """One opaque item of 32 bytes (V32) per row; null counts as empty."""
    rows.check()
    found = np.zeros((len(rows.lengths), SUMS), np.uint64)
    words = key.words(int(rows.lengths.max(initial=0)))
    _nh(frozen(words, np.uint64), frozen(rows.data, np.uint8), frozen(rows.starts, np.int64), frozen(rows.lengths, np.int64), found)
    return found.view("V32").reshape(-1)


def among(items: NDArray[Any], known: NDArray[Any]) -> NDArray[np.bool_]:
    """Which opaque items are in `known`, as `np.unique` gives it: many small questions about one large array, which is not sorted again."""
    if not len(known):
        return np.zeros(len(items), np.bool_)
    found: NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, items), len(known) - 1)] == items
    return found


def joined(parts: Sequence[NDArray[Any]], size: int) -> NDArray[Any]:
    """Opaque items of `size` bytes, part after part; none for no parts."""
    return np.concatenate(parts) if parts else np.zeros(0, f"V{size}")


@kernel
def _nh(key: NDArray[np.uint64], data: Any, starts: I64, lengths: I64, found: NDArray[np.uint64]) -> None:
    for row in range(len(starts)):
        at, size = starts[row], max(lengths[row], 0)
        a = b = c = d = np.uint64(0)
        for word in range((size + 7) // 8):
            left = size - 8 * word
            if left >= 8:
                m = load64(data, at + 8 * word)
            else:  # the last bytes, filled with zeros; the length tells them from zeros of the row's own
                m = np.uint64(0)
                for byte in range(left):
                    m |= np.uint64(data[at + 8 * word + byte]) << np.uint64(8 * byte)
            low, high = m & _LOW, m >> _HALF
            k = key[word]
            a += ((low + k) & _LOW) * ((high + (k >> _HALF)) & _LOW)
            k = key[word + 1]
            b += ((low + k) & _LOW) * ((high + (k >> _HALF)) & _LOW)
            k = key[word + 2]
            c += ((low + k) & _LOW) * ((high + (k >> _HALF)) & _LOW)
            k = key[word + 3]
            d += ((low + k) & _LOW) * ((high + (k >> _HALF)) & _LOW)
        length = np.uint64(size)
        found[row, 0], found[row, 1], found[row, 2], found[row, 3] = a + length, b + length, c + length, d + length
