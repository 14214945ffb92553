"""A block: columns as they stand in their bytes. Columns are views of the bytes, made when they are asked for.

A lane's rows stay in a block from the intake to the fold: the block is written once, its bytes are those of the journal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64, U8, Column, Columns, Ragged, Strings
from assay.codecs.columns_layout import DTYPES, Layout, Placed
from assay.codecs.columns_layout_kernel import LISTS, STRINGS
from assay.codecs.kernel import frozen

_SIZES = [dtype.itemsize for dtype in DTYPES]
I32_CODE = DTYPES.index(np.dtype("<i4"))
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
        #: the bytes as int32
        self.words = whole.view(np.int32)
        self._within: dict[str, Columns] = {}
        self._views: dict[int, NDArray[Any]] = {I32_CODE: self.words}
        self._numbers: list[int] = numbers.tolist()
        self._places: list[list[int]] = places.tolist()
        #: rows of the first column, 0 for no columns
        self.rows = self._numbers[0] if self._numbers else 0

    def __eq__(self, other: object) -> bool:
        """Whether the bytes are the same, which say all."""
        return isinstance(other, Block) and self.whole.tobytes() == other.whole.tobytes()

    def __hash__(self) -> int:
        return hash(self.whole.tobytes())

    def columns(self) -> Columns:
        """All columns, in order of their names."""
        return self.within("")

    def within(self, prefix: str) -> Columns:
        """The columns whose names begin with a prefix, by the rest of their names. They are made once, the mapping is the caller's own."""
        found = self._within.get(prefix)
        if found is None:
            found = self._within[prefix] = {name: self._column(placed) for name, placed in self.layout.within(prefix)}
        return found.copy()

    def column(self, name: str) -> Column:
        """The column of this name."""
        return self._column(self.layout.placed[name])

    def _seen_as(self, code: int) -> NDArray[Any]:
        """The bytes as an array of a type; columns begin at multiples of eight bytes."""
        found = self._views.get(code)
        if found is None:
            found = self._views[code] = self.whole.view(DTYPES[code])
        return found

    def _column(self, placed: Placed) -> Column:
        row, number, kind, code, dimensions, children = placed
        at, data, first = self._places[row]
        n = self._numbers[number]
        if kind == STRINGS:
            words, size = at // 4, self._numbers[number + 1]
            return Strings(self.whole[data : data + size], self.starts[first : first + n], self.words[words : words + n])
        if kind == LISTS:
            return Ragged(self.offsets[first : first + n + 1], {name: self._column(child) for name, child in children})
        at //= _SIZES[code]
        if dimensions == 1:
            return self._seen_as(code)[at : at + n]
        width = self._numbers[number + 1]
        return self._seen_as(code)[at : at + n * width].reshape(n, width)
