"""The hashes by which `SeenIds` knows payments, for rows that speak of them."""

from __future__ import annotations

import numpy as np

from assay.codecs.columns import I32, I64, U8, Strings
from assay.codecs.kernel import frozen, kernel
from assay.tables.row_kinds import PAYMENT
from assay.tables.text_hash import hash128


@kernel
def _hash_payments(data: U8, starts: I64, lengths: I32, keys: I64) -> None:
    for i in range(len(starts)):
        first, second = hash128(data, starts[i], np.int64(max(lengths[i], 0)), PAYMENT)
        keys[i, 0], keys[i, 1] = np.int64(first), np.int64(second)


def payment_keys(ids: Strings) -> I64:
    """The hashes of ids of payments, (n, 2) int64."""
    keys = np.empty((len(ids.lengths), 2), np.int64)
    _hash_payments(frozen(ids.data, np.uint8), frozen(ids.starts, np.int64), frozen(ids.lengths, np.int32), keys)
    return keys
