"""Columns whose rows are all alike: made once and cut to the number of rows that is asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assay.codecs.columns import Column, Columns, Strings, cut

#: rows that are made at first
ROWS_MIN = 64


class ConstantColumns:
    """Columns of alike rows. `make` gives them for a number of rows: arrays and texts.

    All that is cut from them shares their memory, so they are read-only.
    """

    def __init__(self, make: Callable[[int], Columns]) -> None:
        self._make = make
        self._rows = 0
        self._made: Columns = {}
        #: what was cut for few rows
        self._small: dict[int, Columns] = {}

    def of(self, n: int) -> Columns:
        """The columns with n rows; the mapping is not changed by the caller."""
        found = self._small.get(n)
        if found is None:
            found = self._cut(n)
            if n <= ROWS_MIN:
                self._small[n] = found
        return found

    def _cut(self, n: int) -> Columns:
        if n > self._rows or not self._made:
            self._rows = max(n, 2 * self._rows, ROWS_MIN)
            self._made = {name: _read_only(column) for name, column in self._make(self._rows).items()}
        return cut(self._made, 0, n)


def _read_only(column: Column) -> Column:
    arrays = column if isinstance(column, Strings) else (column,)
    for array in arrays:
        assert isinstance(array, np.ndarray)
        array.flags.writeable = False
    return column
