"""A block: columns as they stand in their bytes. Columns are views of the bytes, made when they are asked for.

A lane's rows stay in a block from the intake to the fold: the block is written once, its bytes are those of the journal.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64, U8, Column, Columns, Ragged, Strings
from assay.codecs.columns_layout import DTYPES, Layout, Placed
from assay.codecs.columns_layout_kernel import LISTS, STRINGS
from assay.codecs.kernel import frozen

_SIZES = [dtype.itemsize for dtype in DTYPES]
I32_CODE, I64_CODE = (DTYPES.index(np.dtype(kind)) for kind in ("<i4", "<i8"))
#: of blocks without lists
NO_OFFSETS = frozen(np.empty(0), np.int64)


class Block:
    """Columns of one layout in their bytes. Immutable: bytes and arrays are read-only, so several readers may share them.

    `whole` are the bytes, a multiple of eight and aligned to it, `numbers` those of the header. `places` int64[columns, 3] are the first
    byte of each column, that of the data of strings, and the first of its `starts` (strings) or `offsets` (lists).
    """

    def __init__(self, layout: Layout, whole: U8, numbers: I64, places: I64, starts: I64, offsets: I64) -> None:
        self.layout, self.whole = layout, whole
        self.numbers, self.places, self.starts, self.offsets = numbers, places, starts, offsets
        for array in (whole, numbers, places, starts, offsets):
            array.flags.writeable = False
        #: rows of the first column, 0 for no columns
        self.rows = int(numbers[0]) if len(numbers) else 0

    def __eq__(self, other: object) -> bool:
        """Whether the bytes are the same, which say all."""
        return isinstance(other, Block) and self.whole.tobytes() == other.whole.tobytes()

    def __hash__(self) -> int:
        return hash(self.whole.tobytes())

    def columns(self) -> Columns:
        """All columns, in order of their names."""
        return self.within("")

    def within(self, prefix: str) -> Columns:
        """The columns whose names begin with a prefix, by the rest of their names."""
        return {name: self._column(placed) for name, placed in self.layout.within(prefix)}

    def column(self, name: str) -> Column:
        """The column of this name."""
        return self._column(self.layout.placed[name])

    @cached_property
    def words(self) -> NDArray[np.int32]:
        """The bytes as int32."""
        return self.whole.view(np.int32)

    @cached_property
    def _views(self) -> dict[int, NDArray[Any]]:
        """The bytes as arrays of every type in the layout; columns begin at multiples of eight bytes."""
        return {code: self.whole.view(DTYPES[code]) for code in self.layout.codes}

    @cached_property
    def _numbers(self) -> list[int]:
        found: list[int] = self.numbers.tolist()
        return found

    @cached_property
    def _places(self) -> list[list[int]]:
        found: list[list[int]] = self.places.tolist()
        return found

    def _column(self, placed: Placed) -> Column:
        row, number, kind, code, dimensions, children = placed
        at, data, first = self._places[row]
        n = self._numbers[number]
        if kind == STRINGS:
            words, size = at // 4, self._numbers[number + 1]
            return Strings(self.whole[data : data + size], self.starts[first : first + n], self._views[I32_CODE][words : words + n])
        if kind == LISTS:
            return Ragged(self.offsets[first : first + n + 1], {name: self._column(child) for name, child in children})
        at //= _SIZES[code]
        if dimensions == 1:
            return self._views[code][at : at + n]
        width = self._numbers[number + 1]
        return self._views[code][at : at + n * width].reshape(n, width)
