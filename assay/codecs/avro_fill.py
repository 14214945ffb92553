"""The memory that the encode program reads: cells and a pool of bytes, kept from batch to batch and filled from columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import gt

import numpy as np

from assay.codecs.avro_bind import EXTRA, SOURCE, Constant, Field, Kind, Program, body_of, mismatch
from assay.codecs.avro_encode_kernel import check_list, fill_texts
from assay.codecs.columns import I64, Column, Columns, Ragged, Strings, arrays_of, rows

#: rows per level that there is room for at first
_FIRST_ROOM = 64
#: texts that one kernel call copies
_TOGETHER = 4
_DONE, _NO_ROOM = -1, -2


class Memory:
    """Cells and pool of one program. What was filled stands until the next `fill`."""

    def __init__(self, program: Program) -> None:
        self.program = program
        kinds = {kind: [field for field in program.fields if field.kind is kind] for kind in Kind}
        self._lists, self._fixed = kinds[Kind.LISTS], kinds[Kind.FIXED]
        self._numbers = [*kinds[Kind.INTEGERS], *kinds[Kind.REALS]]
        by_level = sorted(kinds[Kind.TEXT], key=lambda field: field.level)
        self._texts = [list(fields) for _, level in groupby(by_level, key=lambda field: field.level) for fields in _groups(list(level))]
        self._room = [_FIRST_ROOM] * program.levels
        self._place()
        self.pool = np.frombuffer(bytearray(program.ready), np.uint8)

    def _place(self) -> None:
        base, size = self.program.place(np.array(self._room))
        self._base: list[int] = base.tolist()
        self._text_places = [_places(base, fields) for fields in self._texts]
        self.cells: I64 = np.zeros(size, np.int64)
        self._reals = self.cells.view(np.float64)

    def fill(self, columns: Columns, n: int, constants: Mapping[str, Constant]) -> None:
        """Copy n rows and the constants of the batch. Raises Stop(COLUMNS_MISMATCH)."""
        given, counts = self._levels(columns, n)
        self._make_room(counts)
        self._used = len(self.program.ready)
        self._fill_constants(constants)
        for field in self._lists:
            self._fill_list(field, given[field.level][field.path], counts[field.level], counts[field.size])
        for field in self._numbers:
            self._fill_numbers(field, given[field.level].get(field.path), counts[field.level])
        for field in self._fixed:
            self._fill_fixed(field, given[field.level].get(field.path), counts[field.level])
        for fields, places in zip(self._texts, self._text_places, strict=True):
            level = fields[0].level
            self._fill_texts(fields, places, given[level], counts[level])

    def _levels(self, columns: Columns, n: int) -> tuple[list[Columns], list[int]]:
        """The columns of every level, and its rows."""
        given, counts = [columns] * self.program.levels, [n] * self.program.levels
        for field in self._lists:
            column, m = given[field.level].get(field.path), counts[field.level]
            if not isinstance(column, Ragged) or len(column.offsets) != m + 1:
                raise mismatch(field.path, "is missing" if column is None else f"is not {m} lists")
            given[field.size], counts[field.size] = column.children, rows(column.children)
        return given, counts

    def _make_room(self, counts: list[int]) -> None:
        """Room for so many rows per level, kept for the next batches."""
        if any(map(gt, counts, self._room)):
            self._room = [max(count, 2 * room) if count > room else room for count, room in zip(counts, self._room, strict=True)]
            self._place()

    def _fill_constants(self, given: Mapping[str, Constant]) -> None:
        for path, (node, row) in self.program.varying.items():
            if path not in given:
                raise mismatch(path, "is missing")
            piece = body_of(node, given[path])
            at = self._reserved(len(piece))
            self.pool[at : self._used] = np.frombuffer(piece, np.uint8)
            self.program.code[row, SOURCE], self.program.code[row, EXTRA] = at, len(piece)

    def _fill_list(self, field: Field, column: Column, n: int, items: int) -> None:
        assert isinstance(column, Ragged)
        at = self._base[field.cells]
        self.cells[at : at + n + 1] = column.offsets
        if not check_list(self.cells, at, n, items):
            raise mismatch(field.path, "has offsets outside of its items")

    def _fill_numbers(self, field: Field, column: Column | None, n: int) -> None:
        real = field.kind is Kind.REALS
        if not isinstance(column, np.ndarray) or column.shape != (n,) or column.dtype.kind not in ("f" if real else "biu"):
            raise mismatch(field.path, "is missing" if column is None else f"is not {n} {'reals' if real else 'integers'}")
        at = self._base[field.cells]
        (self._reals if real else self.cells)[at : at + n] = column

    def _fill_fixed(self, field: Field, column: Column | None, n: int) -> None:
        size = field.size
        if not isinstance(column, np.ndarray) or column.shape != (n, size) or column.dtype != np.uint8:
            raise mismatch(field.path, "is missing" if column is None else f"is not uint8 of shape ({n}, {size})")
        at = self._reserved(n * size)
        self.pool[at : self._used].reshape(n, size)[:] = column
        self.program.code[field.row, SOURCE] = at

    def _fill_texts(self, fields: Sequence[Field], places: I64, columns: Columns, n: int) -> None:
        texts = [_NOTHING] * _TOGETHER
        for t, field in enumerate(fields):
            column = columns.get(field.path)
            if not isinstance(column, Strings) or len(column.lengths) != n:
                raise mismatch(field.path, "is missing" if column is None else f"is not {n} strings")
            texts[t] = arrays_of(column)
        state, number = fill_texts(self.cells, self.pool, self._used, places, *texts)
        if state == _NO_ROOM:
            self._reserved(number)
            self._used -= number
            state, number = fill_texts(self.cells, self.pool, self._used, places, *texts)
        if state != _DONE:
            raise mismatch(fields[state].path, "has rows outside of its bytes")
        self._used = number

    def _reserved(self, size: int) -> int:
        """Room for so many bytes in the pool; where they begin."""
        at, self._used = self._used, self._used + size
        if self._used > len(self.pool):
            larger = np.empty(2 * self._used, np.uint8)
            larger[:at] = self.pool[:at]
            self.pool = larger
        return at


_NOTHING = arrays_of(Strings.nulls(0))


def _groups(fields: list[Field]) -> list[list[Field]]:
    return [fields[at : at + _TOGETHER] for at in range(0, len(fields), _TOGETHER)]


def _places(base: I64, fields: Sequence[Field]) -> I64:
    """The first cells of the starts and of the lengths of each text."""
    places = np.zeros((_TOGETHER, 2), np.int64)
    for t, field in enumerate(fields):
        places[t] = base[field.cells], base[field.cells + 1]
    return places
