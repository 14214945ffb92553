"""Rows of a batch by the policy revision that they are decided under. Revisions follow each other, so each has one span of rows."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from assay.codecs.columns import Columns


class Span(NamedTuple):
    """Rows from `start` up to `stop` (exclusive) are decided under the revision with this number."""

    policy_seq: int
    start: int
    stop: int


def spans(columns: Columns) -> list[Span]:
    """The spans of a batch of one row at least, in order."""
    seqs = np.asarray(columns["policy.seq"])
    n = len(seqs)
    edges = [0, *(np.flatnonzero(np.diff(seqs)) + 1).tolist(), n]
    return [Span(int(seqs[start]), start, stop) for start, stop in pairwise(edges)]
