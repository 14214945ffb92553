"""Rows of blocks: a part of a block as it stands, and new blocks of rows that are chosen or joined. Rows have no lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.block_rows_kernel import copy_rows, fitting, measure_rows, open_rows, place_rows
from assay.codecs.column_block import NO_OFFSETS, Block
from assay.codecs.columns import I64
from assay.codecs.columns_layout import Layout
from assay.codecs.kernel import frozen
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class Rows(NamedTuple):
    """The rows of a block from `first` up to `stop` (exclusive); nothing is copied."""

    block: Block
    first: int
    stop: int

    @classmethod
    def of(cls, block: Block) -> Rows:
        """All rows of a block."""
        return cls(block, 0, block.rows)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.stop - self.first

    def numbers(self, name: str) -> NDArray[Any]:
        """The column of numbers of this name."""
        column: NDArray[Any] = np.asarray(self.block.column(name))
        return column[self.first : self.stop]

    def cut(self, at: int) -> tuple[Rows, Rows]:
        """The first `at` rows, and the others."""
        middle = self.first + at
        return Rows(self.block, self.first, middle), Rows(self.block, middle, self.stop)

    def fitting(self, room: int) -> tuple[int, int]:
        """How many rows, from the first on, have texts of at most `room` bytes together, and how many bytes these are."""
        block = self.block
        count, size = fitting(block.layout.plan, block.words, block.places, self.first, self.stop, room)
        return count, size


def chosen(block: Block, index: NDArray[Any]) -> Block:
    """The rows of a block chosen and ordered by an index of numbers between 0 and its rows."""
    return _gathered([(block, frozen(index, np.int64))])


def joined(parts: Sequence[Rows]) -> Block:
    """The rows of all parts, one after another, at least one part. All rows of a single block are that block.

    Raises Stop(COLUMNS_MISMATCH) for parts with different columns.
    """
    block, first, stop = parts[0]
    if len(parts) == 1 and first == 0 and stop == block.rows:
        return block
    return _gathered([(part.block, frozen(np.arange(part.first, part.stop), np.int64)) for part in parts])


def _gathered(parts: Sequence[tuple[Block, I64]]) -> Block:
    """A new block of these rows of blocks with one layout."""
    layout = parts[0][0].layout
    plan, numbers, places = layout.plan, np.zeros(len(layout.numbers_at), np.int64), np.empty((len(layout.plan), 3), np.int64)
    for block, index in parts:
        same = block.layout is layout or block.layout.entries == layout.entries
        if not same or layout.has_lists or not measure_rows(plan, block.words, block.numbers, block.places, index, numbers):
            raise _mismatch(layout, block.layout)
    whole = np.empty(place_rows(plan, numbers, layout.body, places), np.uint8)
    words, count = whole.view(np.int32), sum(len(index) for _, index in parts)
    starts, written, row = np.empty(layout.texts * count, np.int64), np.zeros(len(plan), np.int64), 0
    open_rows(whole, layout.front, layout.numbers_at, plan, numbers, places)
    for block, index in parts:
        copy_rows(plan, numbers, block.whole, block.words, block.places, block.starts, index, whole, words, places, starts, row, written)
        row += len(index)
    return Block(layout, whole, numbers, places, starts, NO_OFFSETS)


def _mismatch(one: Layout, other: Layout) -> Stop:
    what = f"rows with the columns {list(one.placed)} and {list(other.placed)} cannot be joined, or have lists or other widths"
    return Stop(Reason.COLUMNS_MISMATCH, what, remedy="Join rows of one lane: all its records fill the same columns.")
