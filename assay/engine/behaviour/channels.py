"""Channels of payments, as codes in kernels, and numbers that name an arrival."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from assay.codecs.kernel import Int, inlined, part
from assay.engine.philox import one
from assay.engine.segment import Scene

ECOM, POS, ATM, BANK_RAIL, HYBRID = range(5)
CHANNELS = ("ECOM", "POS", "ATM", "BANK_RAIL", "HYBRID")
#: bits of an arrival's number within its merchant
SEQ_BITS = 40
_HALF, _QUARTER, _OFF = np.uint64(32), np.uint64(29), np.uint64(2**63 - 1)
_ODD = np.uint64(0x9E3779B97F4A7C15)
_ONE = np.uint64(1)


@inlined
def arrival_row(merchant: Int, seq: Int) -> Any:
    """The number of an arrival in the world, from its merchant's place in the catalogue and its number within the merchant."""
    return (np.int64(merchant) << SEQ_BITS) | np.int64(seq)


@part
def resolved(channel: Int, virtual: Int, ecom_share: Any, key: Any, row: Int) -> Any:
    """The channel of an arrival: HYBRID becomes ECOM or POS."""
    if channel != HYBRID:
        return np.int64(channel)
    if virtual or one(key, row, 0) < ecom_share:
        return np.int64(ECOM)
    return np.int64(POS)


@part
def mixed(row: Int, key: Any) -> Any:
    """A 63-bit number of a 63-bit number: a bijection for each key, of adding, multiplying by odd numbers and folding the upper bits."""
    x = (np.uint64(row) + key) & _OFF
    x ^= x >> _HALF
    x = (x * _ODD) & _OFF
    x ^= x >> _QUARTER
    x = (x * (key | _ONE)) & _OFF
    x ^= x >> _HALF
    return np.int64(x)


def shared(scene: Scene, stream: str) -> np.uint64:
    """The key of a stream that several states of the segment read."""
    return replace(scene, place="shared").key(stream)
