"""A schema bound to the form of its columns: the encode program, and where every column lies in the memory of the encoder.

Numbers, the starts and lengths of texts, and the offsets of lists are copied into 8-byte cells, bytes into a pool. A program is bound
once: where a column begins depends on the room of its level alone, and room is made seldom.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import IntEnum
from typing import NamedTuple, TypeAlias

import numpy as np

from assay.codecs.avro_schema import TEXTS, Node, Op
from assay.codecs.columns import I64, Column, Columns, Strings
from assay.codecs.varint import varint
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: The value of a field that is the same in every record.
Constant: TypeAlias = int | bytes
#: the Avro bytes of a constant
Body: TypeAlias = Callable[[Constant], bytes]
#: Columns of the instruction array. SOURCE + row * STRIDE is where a row's value lies, in the cells or in the pool.
#: EXTRA is a width, a number of symbols, null's branch or where lengths lie; LAST an item stride or the least value that is present.
OP, SOURCE, STRIDE, EXTRA, EXIT, LEVEL, CHILD, LAST = range(8)
#: cells between two columns beyond their room, so that columns of equal room do not meet in the same lines of a cache
_BETWEEN = 24
_BITS = {Op.LONG: 64, Op.INT: 32}


class Kind(IntEnum):
    """The form of a column."""

    INTEGERS, REALS, TEXT, FIXED, LISTS = range(5)


class Field(NamedTuple):
    """A column to be filled: its form and path, its level, and its first column of cells. `row` is the instruction of a fixed.

    `size` is the width of a fixed, or the level of a list's items.
    """

    kind: Kind
    path: str
    level: int
    cells: int
    row: int
    size: int


class Program:
    """The instructions for columns like these. `varying` are the paths of the constants that each batch brings.

    Raises Stop(COLUMNS_MISMATCH) for a missing column and for a constant that its field cannot be.
    """

    def __init__(self, root: Node, columns: Columns, constants: Mapping[str, Constant], varying: Collection[str]) -> None:
        self.fields: list[Field] = []
        #: instruction → the path it writes
        self.paths: list[str] = []
        #: path → body and instruction of a varying constant
        self.varying: dict[str, tuple[Body, int]] = {}
        self.levels, self.depth = 1, 0
        #: level of each column of cells
        self._cells: list[int] = []
        #: (instruction, its column, column of cells): what `place` fills in
        self._patches: list[tuple[int, int, int]] = []
        self._code: list[list[int]] = []
        self._pieces: list[bytes] = []
        self._constants, self._names = constants, frozenset(varying)
        self._bind(root, columns, 0, 0)
        self.code: I64 = np.array(self._code, np.int64).reshape(-1, LAST + 1)
        #: the ready bytes of all constants, with which the pool begins
        self.ready = b"".join(self._pieces)

    def place(self, room: I64) -> tuple[I64, int]:
        """Put the columns where they lie for so many rows per level: the first cell of each column, and the number of all cells."""
        sizes = room[np.array(self._cells, np.intp)] + _BETWEEN
        base: I64 = np.concatenate(([0], np.cumsum(sizes)))
        rows, columns, cells = np.array(self._patches, np.intp).reshape(-1, 3).T
        self.code[rows, columns] = base[cells]
        return base, int(base[-1])

    def _bind(self, node: Node, columns: Columns, level: int, depth: int) -> None:
        column = columns.get(node.path)
        if level == 0 and node.path in self._names:
            self.varying[node.path] = body_of(node), self._add(Op.FIXED, node.path, level)
        elif level == 0 and node.path in self._constants:
            self._constant(node, self._constants[node.path])
        elif node.op is Op.RECORD and not isinstance(column, Strings):
            for part in node.parts:
                self._bind(part, columns, level, depth)
        elif node.op is Op.OPTION:
            self._option(node, columns, level, depth)
        elif node.op in TEXTS or (node.op in (Op.RECORD, Op.ARRAY) and isinstance(column, Strings)):
            self._text(node, level)
        elif node.op is Op.ARRAY:
            self._list(node, column, level, depth)
        elif node.op is Op.FIXED:
            row = self._add(Op.FIXED, node.path, level, stride=node.size, extra=node.size)
            self.fields.append(Field(Kind.FIXED, node.path, level, -1, row, node.size))
        else:
            self._number(node, level)

    def _constant(self, node: Node, value: Constant) -> None:
        """Ready bytes. Those of neighbours are one piece, unless an option ends between them."""
        piece = body_of(node)(value)
        if self._joins:
            self._code[-1][EXTRA] += len(piece)
        else:
            row = self._add(Op.FIXED, node.path, 0, extra=len(piece))
            self._code[row][SOURCE] = sum(map(len, self._pieces))
            self._joins = True
        self._pieces.append(piece)

    #: whether the instruction before is a constant, which another one may join
    _joins = False

    def _number(self, node: Node, level: int) -> None:
        row = self._add(node.op, node.path, level, stride=1, extra=node.size)
        self._column(Kind.REALS if node.op in (Op.DOUBLE, Op.FLOAT) else Kind.INTEGERS, node.path, level, row)

    def _text(self, node: Node, level: int) -> None:
        row = self._add(Op.STRING if node.op in TEXTS else Op.SPLICE, node.path, level, stride=1)
        cells = self._column(Kind.TEXT, node.path, level, row)
        self._cells.append(level)
        self._patches.append((row, EXTRA, cells + 1))

    def _option(self, node: Node, columns: Columns, level: int, depth: int) -> None:
        """Whether a value is present is told by the length of a text, and by a mask for other types."""
        part = node.parts[0]
        row = self._add(Op.OPTION, node.path, level, stride=1, extra=node.size)
        if part.op in TEXTS:
            self._patches.append((row, SOURCE, len(self._cells) + 1))
        else:
            self._code[row][LAST] = 1
            self._column(Kind.INTEGERS, f"{node.path}?", level, row)
        self._bind(part, columns, level, depth)
        self._code[row][EXIT] = len(self._code)
        self._joins = False

    def _list(self, node: Node, column: Column | None, level: int, depth: int) -> None:
        if column is None or isinstance(column, np.ndarray | Strings):
            raise mismatch(node.path, "is missing" if column is None else "is not lists")
        child, self.levels, self.depth = self.levels, self.levels + 1, max(self.depth, depth + 1)
        row = self._add(Op.ARRAY, node.path, level, stride=1, child=child)
        cells = self._column(Kind.LISTS, node.path, level, row, child)
        for part in node.parts:
            self._bind(part, column.children, child, depth + 1)
        item = self._code[-1]
        if len(self._code) == row + 2 and item[OP] in (Op.LONG, Op.DOUBLE):
            self._code[row:] = [[Op.LONGS if item[OP] == Op.LONG else Op.DOUBLES, 0, 1, 0, row + 1, level, 0, 1]]
            del self.paths[row + 1 :]
            self._patches[-1] = row, EXTRA, self._patches[-1][2]
            return
        end = self._add(Op.END, node.path, level, stride=1, extra=row + 1, child=child)
        self._patches.append((end, SOURCE, cells))
        self._code[row][EXTRA], self._code[row][EXIT] = row + 1, end + 1

    def _column(self, kind: Kind, path: str, level: int, row: int, size: int = 0) -> int:
        """A column of cells that the instruction reads; its number."""
        cells = len(self._cells)
        self.fields.append(Field(kind, path, level, cells, row, size))
        self._cells.append(level)
        self._patches.append((row, SOURCE, cells))
        return cells

    def _add(self, op: Op, path: str, level: int, *, stride: int = 0, extra: int = 0, child: int = 0) -> int:
        self._code.append([op, 0, stride, extra, len(self._code) + 1, level, child, 0])
        self.paths.append(path)
        self._joins = False
        return len(self._code) - 1


def body_of(node: Node) -> Body:
    """The Avro bytes of a constant of this field, by its value. They raise Stop(COLUMNS_MISMATCH) when the field cannot be this value."""
    end = 1 << _BITS[node.op] - 1 if node.op in _BITS else 0
    size = node.size if node.op is Op.FIXED else -1
    ready, counted = node.op in (Op.RECORD, Op.ARRAY), node.op in TEXTS

    def body(value: Constant) -> bytes:
        if isinstance(value, int) and -end <= value < end:
            return varint(value)
        if isinstance(value, bytes) and (ready or len(value) == size):
            return value
        if isinstance(value, bytes) and counted:
            return varint(len(value)) + value
        raise mismatch(node.path, f"cannot be the constant {value!r}")

    return body


def mismatch(path: str, what: str) -> Stop:
    """The refusal of a column."""
    return Stop(Reason.COLUMNS_MISMATCH, f"column {path!r} {what}", where="Avro encoding", remedy="Give every field its column.")
