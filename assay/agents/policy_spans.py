"""Rows of a batch by the policy revision that they are decided under. Revisions follow each other, so each has one span of rows."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from assay.codecs.columns import Columns


class Span(NamedTuple):
    """Rows from `start` up to `stop` (exclusive) are decided under the revision with this number."""

    policy_seq: int
    start: int
    stop: int


def spans(columns: Columns, revisions: Collection[int]) -> list[Span]:
    """The spans of a batch, in order. `revisions` are the numbers of its revisions: one for nearly all batches."""
    seqs = np.asarray(columns["policy.seq"])
    n = len(seqs)
    if len(revisions) == 1:
        return [Span(policy_seq, 0, n) for policy_seq in revisions]
    edges = [0, *(np.flatnonzero(np.diff(seqs)) + 1).tolist(), n]
    return [Span(int(seqs[start]), start, stop) for start, stop in pairwise(edges)]
