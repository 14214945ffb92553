"""Columns bound to a schema: the encode program of one batch, with everything constant in it written out beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.codecs.avro_schema import TEXTS, Node, Op
from assay.codecs.columns import I64, U8, Column, Columns, Ragged, Strings, rows
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: The value of a field that is the same in every record.
Constant: TypeAlias = int | bytes
#: Columns of the instruction array. SOURCE + row * STRIDE is where a row's value lies, in `wide` or in `pool`.
#: EXTRA is a width, a number of symbols, null's branch or where lengths lie; LAST an item stride or the least value that is present.
OP, SOURCE, STRIDE, EXTRA, EXIT, LEVEL, CHILD, LAST = range(8)


class Binding:
    """Gathers what the kernel reads: `pool` (bytes), `wide` (8-byte cells) and the instructions over them."""

    def __init__(self, root: Node, columns: Columns, constants: Mapping[str, Constant]) -> None:
        self._constants = constants
        self.code: list[list[int]] = []
        self.constant: list[bool] = []
        self.paths: list[str] = []
        self.pools: list[U8] = []
        self.cells: list[I64] = []
        self.pooled: dict[tuple[int, int], int] = {}
        self.pool_size = self.wide_size = 0
        self.levels = 1
        self.depth = 0
        self._bind(root, columns, rows(columns), 0, 0)

    def wide(self) -> I64:
        """All 8-byte cells."""
        return np.concatenate(self.cells) if self.cells else np.zeros(0, np.int64)

    def pool(self) -> U8:
        """All bytes."""
        return np.concatenate(self.pools) if self.pools else np.zeros(0, np.uint8)

    def runs(self) -> list[tuple[int, int]]:
        """Maximal runs [a, b) of at least two outermost instructions whose values are the same in every row."""
        found, a = [], 0
        for b in range(len(self.code) + 1):
            if b == len(self.code) or not self.constant[b]:
                found += [(a, b)] if b - a > 1 else []
                a = b + 1
        return found

    def _bind(self, node: Node, columns: Columns, n: int, level: int, depth: int) -> None:
        if level == 0 and node.path in self._constants:
            self._constant(node, self._constants[node.path])
            return
        column = columns.get(node.path)
        if node.op is Op.RECORD and not isinstance(column, Strings):
            for part in node.parts:
                self._bind(part, columns, n, level, depth)
        elif node.op is Op.OPTION:
            self._option(node, columns, n, level, depth)
        elif column is None:
            raise _mismatch(node.path, "is missing")
        elif node.op in TEXTS or (node.op in (Op.RECORD, Op.ARRAY) and isinstance(column, Strings)):
            starts, lengths, stride = self._strings(node, column, n)
            self._add(Op.STRING if node.op in TEXTS else Op.SPLICE, starts, stride, lengths, level, node.path)
        elif node.op is Op.ARRAY:
            self._list(node, column, n, level, depth)
        elif node.op is Op.FIXED:
            self._fixed(node, column, n, level)
        else:
            source, stride = self._numbers(node, column, n)
            self._add(node.op, source, stride, node.size, level, node.path)

    def _constant(self, node: Node, value: Constant) -> None:
        """A field of the record that is the same in every row."""
        if isinstance(value, int) and node.op in (Op.LONG, Op.INT):
            self._add(node.op, self._add_cells(np.array([value])), 0, node.size, 0, node.path)
        elif isinstance(value, bytes) and node.op is Op.FIXED and len(value) == node.size:
            self._add(Op.FIXED, self._add_pool(np.frombuffer(value, np.uint8)), 0, node.size, 0, node.path)
        elif isinstance(value, bytes) and node.op in (*TEXTS, Op.RECORD, Op.ARRAY):
            start = self._add_cells(np.array([self._add_pool(np.frombuffer(value, np.uint8)), len(value)]))
            self._add(Op.STRING if node.op in TEXTS else Op.SPLICE, start, 0, start + 1, 0, node.path)
        else:
            raise _mismatch(node.path, f"cannot be the constant {value!r}")

    def _option(self, node: Node, columns: Columns, n: int, level: int, depth: int) -> None:
        part = node.parts[0]
        if part.op in TEXTS:
            column = columns.get(part.path)
            _, source, stride = self._strings(part, column, n) if column is not None else (0, 0, 0)
            threshold = 0
        else:
            mask = columns.get(f"{node.path}?")
            source, stride = self._numbers(node, mask, n) if mask is not None else (0, 0)
            column, threshold = mask, 1
        if column is None:
            raise _mismatch(f"{node.path}?", "is missing")
        at = self._add(Op.OPTION, source, stride, node.size, level, node.path, last=threshold)
        self.constant[at] = False
        self._bind(part, columns, n, level, depth)
        self.code[at][EXIT] = len(self.code)
        self.constant[at:] = [False] * (len(self.code) - at)

    def _list(self, node: Node, column: Column, n: int, level: int, depth: int) -> None:
        if not isinstance(column, Ragged) or len(column.offsets) != n + 1:
            raise _mismatch(node.path, f"is not {n} lists")
        items = rows(column.children)
        offsets = np.asarray(column.offsets, np.int64)
        if offsets[0] < 0 or offsets[-1] > items or (np.diff(offsets) < 0).any():
            raise _mismatch(node.path, "has offsets outside of its items")
        source = self._add_cells(offsets)
        child, self.levels, self.depth = self.levels, self.levels + 1, max(self.depth, depth + 1)
        at = len(self.code)
        self._add(Op.ARRAY, source, 1, at + 1, level, node.path, child=child)
        for part in node.parts:
            self._bind(part, column.children, items, child, depth + 1)
        item = self.code[-1]
        if len(self.code) == at + 2 and item[OP] in (Op.LONG, Op.DOUBLE):
            op = Op.LONGS if item[OP] == Op.LONG else Op.DOUBLES
            self.code[at:] = [[op, source, 1, item[SOURCE], at + 1, level, 0, item[STRIDE]]]
            del self.constant[at + 1 :], self.paths[at + 1 :]
            return
        self._add(Op.END, source, 1, at + 1, level, node.path, child=child)
        self.code[at][EXIT] = len(self.code)

    def _strings(self, node: Node, column: Column, n: int) -> tuple[int, int, int]:
        """Where starts and lengths lie, and their stride."""
        if not isinstance(column, Strings) or len(column.lengths) != n:
            raise _mismatch(node.path, f"is not {n} strings")
        if column.check():
            first, size = int(column.starts[0]), int(column.lengths[0])
            kept = column.data[first : first + max(0, size)]
            start = self._add_pool(kept)
            return self._add_cells(np.array([start])), self._add_cells(np.array(column.lengths[:1])), 0
        if len(column.data) > 4 * int(column.lengths.sum(dtype=np.int64)) + 65536:
            column = column.compact()
        return self._add_cells(column.starts + self._add_pool(column.data)), self._add_cells(column.lengths), 1

    def _fixed(self, node: Node, column: Column, n: int, level: int) -> None:
        if not isinstance(column, np.ndarray) or column.shape != (n, node.size) or column.dtype != np.uint8:
            raise _mismatch(node.path, f"is not uint8 of shape ({n}, {node.size})")
        stride = 0 if n and column.strides[0] == 0 else node.size
        source = self._add_pool(np.ascontiguousarray(column if stride else column[:1]).reshape(-1))
        self._add(Op.FIXED, source, stride, node.size, level, node.path)

    def _numbers(self, node: Node, column: Column, n: int) -> tuple[int, int]:
        real = node.op in (Op.DOUBLE, Op.FLOAT)
        if not isinstance(column, np.ndarray) or column.shape != (n,) or column.dtype.kind not in ("f" if real else "biu"):
            raise _mismatch(node.path, f"is not {n} {'reals' if real else 'integers'}")
        stride = 0 if n and column.strides[0] == 0 else 1
        kept = column if stride else column[:1]
        return self._add_cells(kept.astype(np.float64).view(np.int64) if real else kept), stride

    def _add_cells(self, values: NDArray[Any]) -> int:
        at = self.wide_size
        self.cells.append(np.asarray(values, np.int64))
        self.wide_size += len(values)
        return at

    def _add_pool(self, data: U8) -> int:
        key = (data.__array_interface__["data"][0], len(data))
        if key not in self.pooled:
            self.pooled[key] = self.pool_size
            self.pools.append(data)
            self.pool_size += len(data)
        return self.pooled[key]

    def _add(
        self, op: Op, source: int, stride: int, extra: int, level: int, path: str, *, child: int = 0, last: int = 0
    ) -> int:  # fmt: skip
        self.code.append([op, source, stride, extra, len(self.code) + 1, level, child, last])
        self.constant.append(stride == 0 and level == 0)
        self.paths.append(path)
        return len(self.code) - 1


def _mismatch(path: str, what: str) -> Stop:
    return Stop(Reason.COLUMNS_MISMATCH, f"column {path!r} {what}", where="Avro encoding", remedy="Give every field its column.")
