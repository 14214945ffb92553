"""SHA-256 of every row of a batch at once: the same digests the standard library gives, without a call per row."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import U8
from assay.codecs.kernel import frozen
from assay.codecs.sha256_kernel import LANES, SCHEDULE, WORDS, compress, hash_rows

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


class Midstate(NamedTuple):
    """The hash uint32 (8,) after the whole blocks of a prefix, which are `before` bytes; `tail` is the rest of the prefix."""

    tail: U8
    before: int
    state: NDArray[np.uint32]


class Workspace:
    """Working memory of the kernel, kept from batch to batch. It belongs to one thread."""

    def __init__(self) -> None:
        self._x, self._blocks = np.zeros(WORDS, np.uint32), np.zeros(LANES, np.int64)
        self._message, self._words = np.zeros(0, np.uint8), np.zeros(0, np.uint32)

    def of(self, size: int) -> tuple[Any, ...]:
        """For messages of at most `size` bytes: open blocks as bytes and as words, constants, working words, a number per lane."""
        needed = LANES * 64 * ((size + 72) // 64)
        if needed > len(self._message):
            self._message = np.zeros(needed, np.uint8)
            self._words = self._message.view("<u4")
        return self._message, self._words, ROUND, self._x, self._blocks


def sha256_rows(prefix: bytes, data: U8, starts: NDArray[np.int64], lengths: NDArray[Any], more: U8 | None = None) -> U8:
    """uint8[n, 32]: row i is sha256(prefix + data[starts[i] : starts[i] + lengths[i]] + more[i]).

    `more` is uint8[n, k]: fixed bytes after each row's own. Null rows count as empty. The prefix's whole blocks are hashed once.
    """
    n = len(starts)
    found = np.zeros((n, 32), np.uint8)
    extra = frozen(np.zeros((n, 0), np.uint8) if more is None else more, np.uint8)
    message, words, _, x, blocks = Workspace().of(len(prefix) + max(int(lengths.max()) if n else 0, 0) + extra.shape[1])
    tail, before, state = midstate(prefix)
    hash_rows(
        tail, before, state, frozen(data, np.uint8), frozen(starts, np.int64), frozen(lengths, np.int64), extra,
        message, words, ROUND, x, blocks, found.reshape(-1),
    )  # fmt: skip
    return found


def sha256_fixed(prefix: bytes, rows: U8) -> U8:
    """uint8[n, 32]: sha256(prefix + row) of the rows of a uint8[n, k] matrix."""
    n = len(rows)
    return sha256_rows(prefix, np.zeros(0, np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int64), rows)


@lru_cache(64)
def midstate(prefix: bytes) -> Midstate:
    """The hash of the whole blocks of a prefix, computed once. A lane has few prefixes; kernels only read it."""
    kept = len(prefix) // 64 * 64
    x = np.zeros(WORDS, np.uint32)
    x[: 8 * LANES] = np.repeat(INITIAL, LANES)
    for at in range(0, kept, 64):
        words = np.frombuffer(prefix[at : at + 64], ">u4").astype(np.uint32)
        x[SCHEDULE : SCHEDULE + 16 * LANES] = np.repeat(words, LANES)
        compress(x, ROUND)
        x[: 8 * LANES] = x[8 * LANES : 16 * LANES]
    return Midstate(frozen(np.frombuffer(prefix[kept:], np.uint8), np.uint8), kept, np.ascontiguousarray(x[: 8 * LANES : LANES]))
