"""The hash of a row: columns are mixed with a key each and added, so their order in the file says nothing. It never changes.

Row hash = mix(Σ over columns of mix(value ^ key of the column's name)), mod 2^64; mix is the finaliser of splitmix64. A null is a value
of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.kernel import inlined, kernel

HASH2_MODULUS = 1_000_000_007
_MODULUS = np.uint64(HASH2_MODULUS)
_NULL = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_LOW_HALF = np.uint64(0xFFFFFFFF)


@inlined
def _mix(x: Any) -> Any:
    x = (x ^ (x >> np.uint64(30))) * _MIX_A
    x = (x ^ (x >> np.uint64(27))) * _MIX_B
    return x ^ (x >> np.uint64(31))


@kernel
def add_values(values: Any, key: Any, hashes: Any) -> None:
    """Add a column without nulls: the bits of its values uint64 (n,), its key uint64 → hashes uint64 (n,)."""
    for i in range(len(hashes)):
        hashes[i] += _mix(values[i] ^ key)


@kernel
def add_present(values: Any, present: Any, key: Any, hashes: Any) -> None:
    """As `add_values`, for a column with nulls: `present` bool (n,)."""
    for i in range(len(hashes)):
        hashes[i] += _mix(values[i] ^ key) if present[i] else _mix(_NULL ^ _mix(key))


@kernel
def add_words(codes: Any, words: Any, key: Any, hashes: Any) -> None:
    """Add a column of words: codes uint32 (n,) into the hashes of words uint64 (k,)."""
    for i in range(len(hashes)):
        hashes[i] += _mix(words[codes[i]] ^ key)


@kernel
def totals(hashes: Any, sums: Any) -> None:
    """Add to uint64 (3,): Σ of the low and of the high half of the row hashes, Σ (row hash mod HASH2_MODULUS). Exact below 2^32 rows."""
    low = high = modular = np.uint64(0)
    for i in range(len(hashes)):
        one = _mix(hashes[i])
        low += one & _LOW_HALF
        high += one >> np.uint64(32)
        modular += one % _MODULUS
    sums[0] += low
    sums[1] += high
    sums[2] += modular
