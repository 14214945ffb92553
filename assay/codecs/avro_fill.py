"""The memory that the encode program reads: cells and a pool of bytes, kept from batch to batch and filled from columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.avro_bind import EXTRA, SOURCE, Constant, Kind, Program, body_of, mismatch
from assay.codecs.avro_encode_kernel import settle
from assay.codecs.columns import I64, U8, Column, Columns, Ragged, Strings, rows

#: a text with a larger buffer than this, and than four times its rows, is copied without the rest of the buffer
_LARGE_BYTES = 65_536
#: rows per level that there is room for at first
_FIRST_ROOM = 64
_INTEGERS, _REALS, _TEXT, _FIXED, _LISTS = Kind


class Memory:
    """Cells and pool of one program. What was filled stands until the next `fill`."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._room = np.full(program.levels, _FIRST_ROOM, np.int64)
        self._place()
        self.pool = np.frombuffer(bytearray(program.ready), np.uint8)

    def _place(self) -> None:
        base, size = self.program.place(self._room)
        self._base: list[int] = base.tolist()
        self.cells: I64 = np.zeros(size, np.int64)
        self._reals = self.cells.view(np.float64)

    def fill(self, columns: Columns, n: int, constants: Mapping[str, Constant]) -> None:
        """Copy n rows and the constants of the batch. Raises Stop(COLUMNS_MISMATCH)."""
        if n > self._room[0]:
            self._grow(0, n)
        self._used = len(self.program.ready)
        self._constants(constants)
        kept = self._used
        while not self._filled(columns, n):
            self._used = kept

    def _grow(self, level: int, needed: int) -> None:
        self._room[level] = max(needed, 2 * int(self._room[level]))
        self._place()

    def _constants(self, given: Mapping[str, Constant]) -> None:
        for path, (node, row) in self.program.varying.items():
            if path not in given:
                raise mismatch(path, "is missing")
            piece = body_of(node, given[path])
            self.program.code[row, SOURCE], self.program.code[row, EXTRA] = self._pooled(np.frombuffer(piece, np.uint8)), len(piece)

    def _filled(self, columns: Columns, n: int) -> bool:
        """False when room had to be made for the items of a list, so that all columns lie elsewhere."""
        given, counts, base = [columns] * self.program.levels, [n] * self.program.levels, self._base
        texts: list[tuple[int, int, int, int, int]] = []
        lists: list[tuple[int, int, int]] = []
        pooled: dict[int, tuple[int, U8]] = {}
        for kind, path, level, at, row, size in self.program.fields:
            column, m = given[level].get(path), counts[level]
            if column is None:
                raise mismatch(path, "is missing")
            if kind is _TEXT:
                texts.append(self._text(path, base[at], base[at + 1], column, m, pooled))
            elif kind is _FIXED:
                self._fixed(path, row, size, column, m)
            elif kind is _LISTS:
                given[size] = self._list(path, base[at], column, m)
                counts[size] = items = rows(given[size])
                if items > self._room[size]:
                    self._grow(size, items)
                    return False
                lists.append((base[at], m, items))
            else:
                self._numbers(path, base[at], column, m, real=kind is _REALS)
        wrong = settle(self.cells, _table(texts, 5), _table(lists, 3))
        if wrong >= 0:
            self._refuse(wrong)
        return True

    def _numbers(self, path: str, at: int, column: Column, n: int, *, real: bool) -> None:
        if not isinstance(column, np.ndarray) or column.shape != (n,) or column.dtype.kind not in ("f" if real else "biu"):
            raise mismatch(path, f"is not {n} {'reals' if real else 'integers'}")
        (self._reals if real else self.cells)[at : at + n] = column

    def _text(
        self, path: str, at: int, sizes_at: int, column: Column, n: int, pooled: dict[int, tuple[int, U8]]
    ) -> tuple[int, int, int, int, int]:
        """Starts, lengths and bytes. Where the starts and the lengths lie, how many, the bytes of the buffer, its place in the pool."""
        if not isinstance(column, Strings) or len(column.lengths) != n:
            raise mismatch(path, f"is not {n} strings")
        data, starts, lengths = column
        size = len(data)
        if size > _LARGE_BYTES and size > 4 * int(lengths.sum(dtype=np.int64)) + _LARGE_BYTES:
            data, starts, lengths = column.compact()
            size = len(data)
        known = pooled.get(id(data))
        if known is None:
            pooled[id(data)] = known = self._pooled(data), data  # held, so that no other buffer has its identity
        self.cells[at : at + n] = starts
        self.cells[sizes_at : sizes_at + n] = lengths
        return at, sizes_at, n, size, known[0]

    def _list(self, path: str, at: int, column: Column, n: int) -> Columns:
        """The offsets. Gives the columns of the items."""
        if not isinstance(column, Ragged) or len(column.offsets) != n + 1:
            raise mismatch(path, f"is not {n} lists")
        self.cells[at : at + n + 1] = column.offsets
        return column.children

    def _fixed(self, path: str, row: int, size: int, column: Column, n: int) -> None:
        if not isinstance(column, np.ndarray) or column.shape != (n, size) or column.dtype != np.uint8:
            raise mismatch(path, f"is not uint8 of shape ({n}, {size})")
        at = self._reserved(n * size)
        self.pool[at : at + n * size].reshape(n, size)[:] = column
        self.program.code[row, SOURCE] = at

    def _pooled(self, data: U8) -> int:
        """The place of these bytes in the pool."""
        at = self._reserved(len(data))
        self.pool[at : at + len(data)] = data
        return at

    def _reserved(self, size: int) -> int:
        at, self._used = self._used, self._used + size
        if self._used > len(self.pool):
            larger = np.empty(2 * self._used, np.uint8)
            larger[:at] = self.pool[:at]
            self.pool = larger
        return at

    def _refuse(self, wrong: int) -> None:
        """Refuse the text or the list, in this order, that `settle` names."""
        named = [field for kind in (_TEXT, _LISTS) for field in self.program.fields if field.kind is kind][wrong]
        raise mismatch(named.path, "has rows outside of its bytes" if named.kind is _TEXT else "has offsets outside of its items")


def _table(rows_of: list[Any], width: int) -> NDArray[np.int64]:
    return np.array(rows_of, np.int64) if rows_of else np.empty((0, width), np.int64)
