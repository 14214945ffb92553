"""The memory that the encode program reads: cells and a pool of bytes, kept from batch to batch and filled from columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter, gt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.avro_bind import EXTRA, LAST, SOURCE, Constant, Field, Kind, Program, mismatch
from assay.codecs.avro_encode_kernel import check_list, fill_fixed, fill_texts
from assay.codecs.columns import I64, Column, Columns, Ragged, Strings, arrays_of, rows, settled
from assay.codecs.kernel import frozen

#: rows per level that there is room for at first
_FIRST_ROOM = 64
#: columns that one kernel call copies
_TOGETHER = 4
_DONE, _NO_ROOM = -1, -2
_BYTE = np.dtype(np.uint8)
#: words of an instruction
_WORDS = LAST + 1


class Memory:
    """Cells and pool of one program. What was filled stands until the next `fill`."""

    def __init__(self, program: Program) -> None:
        self.program = program
        kinds = {kind: [field for field in program.fields if field.kind is kind] for kind in Kind}
        self._lists, self._integers, self._reals = kinds[Kind.LISTS], kinds[Kind.INTEGERS], kinds[Kind.REALS]
        self._fixed, self._texts = _groups(kinds[Kind.FIXED]), _groups(sorted(kinds[Kind.TEXT], key=attrgetter("level")))
        #: the instructions one after another: to set a number of them is five times as fast here as in the array
        self._code = program.code.reshape(-1).data
        #: working memory of the encode loop: the end of each open list, and the row of each level
        self.frames, self.index = np.zeros(program.depth + 1, np.int64), np.zeros(program.levels, np.int64)
        self._room = [_FIRST_ROOM] * program.levels
        self._place()
        self.pool = np.frombuffer(bytearray(program.ready), np.uint8)

    def _place(self) -> None:
        base, size = self.program.place(np.array(self._room))
        self._base: list[int] = base.tolist()
        self._text_places = [_places(base, fields) for fields in self._texts]
        self.cells: I64 = np.zeros(size, np.int64)
        self._doubles = self.cells.view(np.float64)

    def fill(self, columns: Columns, n: int, constants: Mapping[str, Constant]) -> None:
        """Copy n rows and the constants of the batch. Raises Stop(COLUMNS_MISMATCH)."""
        given, counts = self._levels(columns, n)
        self._make_room(counts)
        self._used = len(self.program.ready)
        self._fill_constants(constants)
        for field in self._lists:
            self._fill_list(field, given[field.level][field.path], counts[field.level], counts[field.size])
        for field in self._integers:
            self._fill_numbers(field, given[field.level].get(field.path), counts[field.level], self.cells, "biu", "integers")
        for field in self._reals:
            self._fill_numbers(field, given[field.level].get(field.path), counts[field.level], self._doubles, "f", "reals")
        for fields in self._fixed:
            self._fill_fixed(fields, given, counts)
        for fields, places in zip(self._texts, self._text_places, strict=True):
            self._fill_texts(fields, places, given, counts)

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
        at, pieces = self._used, []
        for path, (body, row) in self.program.varying.items():
            if path not in given:
                raise mismatch(path, "is missing")
            piece = body(given[path])
            self._code[row * _WORDS + SOURCE], self._code[row * _WORDS + EXTRA] = at, len(piece)
            at += len(piece)
            pieces.append(piece)
        if pieces:
            begin = self._reserved(at - self._used)
            self.pool[begin:at] = np.frombuffer(b"".join(pieces), np.uint8)

    def _fill_list(self, field: Field, column: Column, n: int, items: int) -> None:
        assert isinstance(column, Ragged)
        at = self._base[field.cells]
        self.cells[at : at + n + 1] = column.offsets
        if not check_list(self.cells, at, n, items):
            raise mismatch(field.path, "has offsets outside of its items")

    def _fill_numbers(self, field: Field, column: Column | None, n: int, into: NDArray[Any], kinds: str, what: str) -> None:
        if not isinstance(column, np.ndarray) or column.shape != (n,) or column.dtype.kind not in kinds:
            raise mismatch(field.path, "is missing" if column is None else f"is not {n} {what}")
        at = self._base[field.cells]
        into[at : at + n] = column

    def _fill_fixed(self, fields: Sequence[Field], given: Sequence[Columns], counts: Sequence[int]) -> None:
        matrices, first = [_NO_BYTES] * _TOGETHER, self._used
        for t, field in enumerate(fields):
            column, n, size = given[field.level].get(field.path), counts[field.level], field.size
            if not isinstance(column, np.ndarray) or column.dtype != _BYTE or column.shape != (n, size):
                raise mismatch(field.path, "is missing" if column is None else f"is not uint8 of shape ({n}, {size})")
            matrices[t] = settled(column)
            self._code[field.row * _WORDS + SOURCE] = self._reserved(n * size)
        fill_fixed(self.pool, first, *matrices)

    def _fill_texts(self, fields: Sequence[Field], places: I64, given: Sequence[Columns], counts: Sequence[int]) -> None:
        texts = [_NOTHING] * _TOGETHER
        for t, field in enumerate(fields):
            column, n = given[field.level].get(field.path), counts[field.level]
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
_NO_BYTES: Any = frozen(np.zeros((0, 0), np.uint8), np.uint8)


def _groups(fields: list[Field]) -> list[list[Field]]:
    return [fields[at : at + _TOGETHER] for at in range(0, len(fields), _TOGETHER)]


def _places(base: I64, fields: Sequence[Field]) -> I64:
    """The first cells of the starts and of the lengths of each text."""
    places = np.zeros((_TOGETHER, 2), np.int64)
    for t, field in enumerate(fields):
        places[t] = base[field.cells], base[field.cells + 1]
    return places
