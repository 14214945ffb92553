"""Decoded records before they are columns: a column is a view of the buffers, made when it is asked for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.avro_plan import Places
from assay.codecs.avro_schema import Op
from assay.codecs.column_match import mark_others, mark_unlisted
from assay.codecs.columns import I32, I64, U8, Column, Columns, Ragged, Strings

#: the usual operations; a look-up in an enumeration costs as much as a column
_STRING, _BYTES, _LONG = Op.STRING, Op.BYTES, Op.LONG


class Reading(NamedTuple):
    """n decoded records; `counts` are the rows of each level, `data` their bytes. All columns are contiguous and read-only.

    `verdict` is an int8 per row. A refused row holds zeros, nulls and empty lists.
    """

    verdict: NDArray[np.int8]
    counts: list[int]
    places: Places
    data: U8
    wide: I64
    narrow: I32
    small: U8

    def columns(self) -> Columns:
        """All columns by path."""
        return self._of_level(0)

    def column(self, path: str, level: int = 0) -> Column:
        """The column of a path in the record, or in the items of a list level."""
        slot, (wide, narrow, small) = self.places.of_level[level][path]
        op, rows = slot.op, self.counts[level]
        if op is _STRING or op is _BYTES:
            return Strings(self.data, self.wide[wide : wide + rows], self.narrow[narrow : narrow + rows])
        if op is _LONG:
            return self.wide[wide : wide + rows]
        if op is Op.FIXED:
            return self.small[small : small + rows * slot.size].reshape(rows, slot.size)
        if op is Op.ARRAY:
            return Ragged(self.wide[wide - 1 : wide + rows], self._of_level(slot.child))
        if op is Op.ENUM:
            return self.narrow[narrow : narrow + rows]
        if op is Op.BOOLEAN or op is Op.OPTION:
            return self.small[small : small + rows].view(np.int8)
        numbers = self.wide[wide : wide + rows]
        return numbers.view(np.float64) if op is Op.DOUBLE or op is Op.FLOAT else numbers

    def mark_others(self, path: str, before: int, expected: U8, mark: int) -> None:
        """Give this mark as verdict to each good row where other bytes stand than the expected ones, which are read-only.

        They begin `before` bytes before the text at a path.
        """
        _, (first, _, _) = self.places.of_level[0][path]
        mark_others(self.verdict, self.data, self.wide, first, before, expected, mark)

    def mark_unlisted(self, path: str, listed: U8, mark: int) -> None:
        """Give this mark as verdict to each good row whose text at a path is none of the listed ones: three bytes each, read-only."""
        _, (first, length, _) = self.places.of_level[0][path]
        mark_unlisted(self.verdict, self.data, self.wide, self.narrow, first, length, listed, mark)

    def _of_level(self, level: int) -> Columns:
        return {path: self.column(path, level) for path in self.places.of_level[level]}
