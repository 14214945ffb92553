"""One digest for a set of decisions: whole records, in whatever order they come. It compares a journal's decisions with an audit's.

It is the sha256 over the sorted sha256 digests of their Avro bodies, so it takes 32 bytes per decision to make.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import U8, Strings
from assay.codecs.digests import sha256_rows
from assay.codecs.single_object import HEADER_BYTES

_TAG = b"decision_set.v1\0"


class DecisionSet:
    """Feed decision_response values in any order. A decision that comes twice counts twice."""

    def __init__(self) -> None:
        self._digests: list[U8] = []

    def update(self, values: Strings) -> None:
        """Take more decisions."""
        self._digests.append(sha256_rows(b"", values.data, values.starts + HEADER_BYTES, values.lengths - np.int32(HEADER_BYTES)))

    @property
    def count(self) -> int:
        """Decisions fed so far."""
        return sum(len(part) for part in self._digests)

    def hexdigest(self) -> str:
        """The digest of everything fed so far."""
        return hashlib.sha256(_TAG + self._sorted().tobytes()).hexdigest()

    def _sorted(self) -> NDArray[np.uint64]:
        """The digests as rows of four words, in one order for one set."""
        if not self._digests:
            return np.zeros((0, 4), np.uint64)
        words = np.ascontiguousarray(np.concatenate(self._digests)).view(">u8").reshape(-1, 4)
        ordered: NDArray[np.uint64] = words[np.lexsort(words.T[::-1])]
        return ordered
