"""Two independent 64-bit hashes of a byte string, eight bytes at a time, the same on every machine.

Per lane: h = start ^ length * P ^ seed * Q; for each little-endian word (the last one zero-filled) h = rotl(h ^ word, 29) * P; then
the finaliser of splitmix64. Lanes differ in start, multipliers and the way a word enters. The seed is spread over all bits by Q:
entered as it is, it would meet the first byte of a short id, and `f` under seed 3 had both hashes of `a` under seed 4.
"""

from __future__ import annotations

import numpy as np

from assay.codecs.columns import U8
from assay.codecs.intrinsics import load64
from assay.codecs.kernel import Int, inlined

_FIRST_SEED = np.uint64(0x9E3779B97F4A7C15)
_FIRST_PRIME = np.uint64(0xFF51AFD7ED558CCD)
_SECOND_SEED = np.uint64(0xC2B2AE3D27D4EB4F)
_SECOND_PRIME = np.uint64(0x9FB21C651E98DF25)
_FIRST_SPREAD = np.uint64(0xD6E8FEB86659FD93)
_SECOND_SPREAD = np.uint64(0xA0761D6478BD642F)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)


@inlined
def _word(data: U8, at: Int, count: Int) -> np.uint64:
    """`count` (at most 8) bytes from `at` on as a little-endian number."""
    word = np.uint64(0)
    for k in range(count):
        word |= np.uint64(data[at + k]) << np.uint64(8 * k)
    return word


@inlined
def _turn(h: np.uint64, prime: np.uint64) -> np.uint64:
    return ((h << np.uint64(29)) | (h >> np.uint64(35))) * prime


@inlined
def _finish(h: np.uint64) -> np.uint64:
    h = (h ^ (h >> np.uint64(30))) * _MIX_A
    h = (h ^ (h >> np.uint64(27))) * _MIX_B
    return h ^ (h >> np.uint64(31))


@inlined
def hash64(data: U8, start: Int, length: Int, seed: Int) -> np.uint64:
    """The first hash alone. `seed` separates name spaces."""
    h = _FIRST_SEED ^ np.uint64(length) * _FIRST_PRIME ^ np.uint64(seed) * _FIRST_SPREAD
    end = start + (length & ~7)
    for at in range(start, end, 8):
        h = _turn(h ^ load64(data, at), _FIRST_PRIME)
    if length & 7:
        h = _turn(h ^ _word(data, end, length & 7), _FIRST_PRIME)
    return _finish(h)


@inlined
def hash128(data: U8, start: Int, length: Int, seed: Int) -> tuple[np.uint64, np.uint64]:
    """Both hashes in one walk over the bytes."""
    first = _FIRST_SEED ^ np.uint64(length) * _FIRST_PRIME ^ np.uint64(seed) * _FIRST_SPREAD
    second = _SECOND_SEED ^ np.uint64(length) * _SECOND_PRIME ^ np.uint64(seed) * _SECOND_SPREAD
    end = start + (length & ~7)
    for at in range(start, end, 8):
        word = load64(data, at)
        first = _turn(first ^ word, _FIRST_PRIME)
        second = _turn(second + word, _SECOND_PRIME)
    if length & 7:
        word = _word(data, end, length & 7)
        first = _turn(first ^ word, _FIRST_PRIME)
        second = _turn(second + word, _SECOND_PRIME)
    return _finish(first), _finish(second)
