"""SHA-256 of every row of a batch at once: the same digests the standard library gives, without a call per row."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import U8
from assay.codecs.kernel import frozen
from assay.codecs.sha256_kernel import LANES, WORDS, compress, hash_rows

#: FIPS 180-4 §5.3.3 and §4.2.2: fractional parts of the roots of the first primes.
_PRIMES = [p for p in range(2, 312) if all(p % q for q in range(2, p))]
INITIAL = np.array([int((p**0.5 % 1) * 2**32) for p in _PRIMES[:8]], np.uint32)


def _cube_root_bits(p: int) -> int:
    """First 32 bits of the fractional part of the cube root, in integers so that no platform's pow matters."""
    scaled, low = p << 96, 0
    for bit in reversed(range(36)):
        low += (low + (1 << bit)) ** 3 <= scaled and (1 << bit)
    return low & 0xFFFFFFFF


ROUND = np.array([_cube_root_bits(p) for p in _PRIMES], np.uint32)


def sha256_rows(prefix: bytes, data: U8, starts: NDArray[np.int64], lengths: NDArray[Any], more: U8 | None = None) -> U8:
    """uint8[n, 32]: row i is sha256(prefix + data[starts[i] : starts[i] + lengths[i]] + more[i]).

    `more` is uint8[n, k]: fixed bytes after each row's own. Null rows count as empty. The prefix's whole blocks are hashed once.
    """
    n = len(starts)
    found = np.zeros((n, 32), np.uint8)
    state, kept = _midstate(prefix)
    extra = frozen(np.zeros((n, 0), np.uint8) if more is None else more, np.uint8)
    size = len(prefix) - kept + max(int(lengths.max()) if n else 0, 0) + extra.shape[1]
    message = np.zeros((LANES, 64 * ((size + 72) // 64)), np.uint8)
    tail = frozen(np.frombuffer(prefix[kept:], np.uint8), np.uint8)
    hash_rows(
        tail, kept, state, frozen(data, np.uint8), frozen(starts, np.int64), frozen(lengths, np.int64), extra,
        message, message.view("<u4"), ROUND, np.zeros(WORDS, np.uint32), np.zeros(LANES, np.int64), found,
    )  # fmt: skip
    return found


def sha256_fixed(prefix: bytes, rows: U8) -> U8:
    """uint8[n, 32]: sha256(prefix + row) of the rows of a uint8[n, k] matrix."""
    n = len(rows)
    return sha256_rows(prefix, np.zeros(0, np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int64), rows)


@lru_cache(64)
def _midstate(prefix: bytes) -> tuple[NDArray[np.uint32], int]:
    """The hash after the whole blocks of a prefix, and the number of their bytes. A lane has few prefixes; kernels only read the hash."""
    kept = len(prefix) // 64 * 64
    x = np.zeros(WORDS, np.uint32)
    x[: 8 * LANES] = np.repeat(INITIAL, LANES)
    for at in range(0, kept, 64):
        words = np.frombuffer(prefix[at : at + 64], ">u4").astype(np.uint32)
        x[32 * LANES : 48 * LANES] = np.repeat(words, LANES)
        compress(x, ROUND)
        x[: 8 * LANES] = x[8 * LANES : 16 * LANES]
    return np.ascontiguousarray(x[: 8 * LANES : LANES]), kept
