"""Where reading of one partition stands: records read before are skipped, a missing offset is refused.

The expected offset itself is kept by its owner: the merge of a lane, the audit machine, a journal. The check is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from assay.agents.step import Chunk
from assay.codecs.columns import I64
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: (expected offset, found offset) → refusal
Gap = Callable[[int, int], Stop]


class Unread(NamedTuple):
    """The part of a chunk that was not read before."""

    first: int
    """Index of its first record in the chunk."""
    next_offset: int
    """The offset expected after the chunk."""
    without_record: list[tuple[int, int]]
    """Runs (first, last) of offsets in it that hold no record: ends of transactions, aborted records, compacted records."""


def unread(lane: str, chunk: Chunk, expected: int) -> Unread | None:
    """The part of a chunk from the expected offset on; None when all of the chunk was read before.

    Raises Stop(INPUT_GAP) when the chunk begins after the expected offset: records between the two never came.
    """
    offsets = chunk.offsets
    last = int(offsets[-1]) if len(offsets) else -1
    if last < expected:
        return None
    first = 0 if offsets[0] >= expected else int(np.searchsorted(offsets, expected))
    if chunk.first > expected:
        raise Stop(
            Reason.INPUT_GAP,
            f"lane {lane}: {chunk.handle} goes on at offset {chunk.first}, expected {expected}",
            where=f"{chunk.handle}[{chunk.partition}]",
            remedy="Records were deleted before the lane read them; restore them or start a new run.",
        )
    is_whole = last - expected + 1 == len(offsets) - first
    return Unread(first, last + 1, [] if is_whole else _without_record(offsets[first:], expected))


def _without_record(offsets: I64, expected: int) -> list[tuple[int, int]]:
    before = np.concatenate(([expected - 1], offsets[:-1]))
    gaps = np.flatnonzero(offsets - before > 1)
    return list(zip((before[gaps] + 1).tolist(), (offsets[gaps] - 1).tolist(), strict=True))


def consecutive(offsets: Iterable[int], expected: int, gap: Gap) -> int:
    """The offset expected after records that must follow one another from `expected` on, as those of a journal.

    Raises `gap(expected, found)` at the first record with another offset.
    """
    for offset in offsets:
        if offset != expected:
            raise gap(expected, offset)
        expected += 1
    return expected
