"""Rows that wait: for a key that another row brings, or for a time. They are state, and their bytes are bounded.

The bound has one rule: while the held rows take more than `bytes_max`, the row held first goes on, as if its time had come.
"""

from __future__ import annotations

import heapq
from collections.abc import KeysView, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64, Column, Columns, Ragged, Strings, concat, rows, take
from assay.codecs.columns_bytes import columns_from_bytes, columns_to_bytes
from assay.codecs.table_state import TableState, state_refused

#: memory of a held row beside its columns: its entries in the dictionaries and in the heap, counted towards the bound
ROW_OVERHEAD_BYTES = 512


class Waiting(NamedTuple):
    """One held row: the key it waits for, the time at which it goes on without it (microseconds), and its size in bytes."""

    key: bytes
    due_us: int
    size: int


#: entries of released rows that the heap may hold beside as many as there are held rows
_RELEASED_MAX = 64


class HeldRows:
    """Held rows in the order in which they were held. Their numbers count from 0 over the life of the table."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes = 0
        self._rows: Columns = {}
        self._first = self._next = 0
        self._numbers: list[int] = []
        self._waiting: dict[int, Waiting] = {}
        self._by_key: dict[bytes, list[int]] = {}
        #: (due time, number), the earliest first; numbers of released rows are passed over
        self._due: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def next_due_us(self) -> int | None:
        """The earliest due time, None if nothing is held."""
        while self._due and self._due[0][1] not in self._waiting:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def hold(self, row: Waiting) -> int:
        """Remember a row; its number. Its columns come with `settle`."""
        number, self._next = self._next, self._next + 1
        self._waiting[number] = row
        self._by_key.setdefault(row.key, []).append(number)
        heapq.heappush(self._due, (row.due_us, number))
        if len(self._due) > 2 * len(self._waiting) + _RELEASED_MAX:  # rows that a key released are still in it
            self._due = [(held.due_us, at) for at, held in self._waiting.items()]
            heapq.heapify(self._due)
        self.bytes += row.size
        return number

    def keys(self) -> KeysView[bytes]:
        """The keys that rows wait for."""
        return self._by_key.keys()

    def waiting_for(self, key: bytes) -> list[int]:
        """Numbers of the rows that wait for a key, the first held first."""
        return list(self._by_key.get(key, ()))

    def take_due(self, now_us: int) -> list[tuple[int, int]]:
        """Release the rows whose time has come: (due time, number), the earliest first."""
        found: list[tuple[int, int]] = []
        while (due_us := self.next_due_us()) is not None and due_us <= now_us:
            found.append(heapq.heappop(self._due))
            self.release(found[-1][1])
        return found

    def over_bound(self) -> list[int]:
        """Numbers of the rows that go on so that the rest takes `bytes_max` at most, the first held first."""
        over, found = self.bytes - self.bytes_max, list[int]()
        for number, row in self._waiting.items():
            if over <= 0:
                break
            found.append(number)
            over -= row.size
        return found

    def release(self, number: int) -> None:
        """A row goes on."""
        row = self._waiting.pop(number)
        self.bytes -= row.size
        numbers = self._by_key[row.key]
        numbers.remove(number)
        if not numbers:
            del self._by_key[row.key]

    def settle(self, batch: Columns, held: Sequence[tuple[int, int]], order: Sequence[tuple[bool, int]]) -> Columns:
        """Move the columns: `held` are (number, row of the batch) of rows held in it, `order` the rows that go on in their order:
        (False, row of the batch) or (True, number). Gives the columns of the rows that go on; all others held stay.
        """
        pool = concat([part for part in (self._rows, batch) if rows(part)]) if rows(self._rows) or rows(batch) else batch
        base = rows(self._rows)
        place = {number: at for at, number in enumerate(self._numbers)} | {number: base + row for number, row in held}
        going = np.array([place[at] if is_held else base + at for is_held, at in order], np.int64)
        self._numbers = list(self._waiting)
        staying = np.array([place[number] for number in self._numbers], np.int64)
        self._rows = _compact(take(pool, staying)) if len(staying) else {}
        return take(pool, going)

    def state(self) -> TableState:
        """The whole state."""
        waiting = list(self._waiting.values())
        held: dict[str, NDArray[Any]] = {
            "columns": np.frombuffer(columns_to_bytes(self._rows), np.uint8),
            "keys": np.frombuffer(columns_to_bytes({"key": Strings.of([row.key for row in waiting])}), np.uint8),
            "due_us": np.array([row.due_us for row in waiting], np.int64),
            "sizes": np.array([row.size for row in waiting], np.int64),
        }
        return TableState({"table": "held_rows", "bytes_max": self.bytes_max}, held)

    @classmethod
    def from_state(cls, state: TableState) -> HeldRows:
        """The inverse of `state`. Raises Stop(STATE_UNREADABLE)."""
        table = cls(state.header["bytes_max"])
        table._rows = columns_from_bytes(state.array("columns"))
        keys = columns_from_bytes(state.array("keys"))["key"]
        due_us, sizes = state.array("due_us").tolist(), state.array("sizes").tolist()
        assert isinstance(keys, Strings)
        if not rows(table._rows) == len(keys.lengths) == len(due_us) == len(sizes) or min(sizes, default=0) < 0:
            raise state_refused("has held rows without their keys, times or sizes")
        for key, due, size in zip(keys.tolist(), due_us, sizes, strict=True):
            table._numbers.append(table.hold(Waiting(key or b"", due, size)))
        return table


def row_sizes(columns: Columns) -> I64:
    """Bytes that each row of a batch takes when it is held: texts by their length, other columns by their width, and what every row costs;
    (n,) int64.
    """
    return ROW_OVERHEAD_BYTES + _column_bytes(columns)


def _column_bytes(columns: Columns) -> I64:
    sizes = np.zeros(rows(columns), np.int64)
    for column in columns.values():
        if isinstance(column, Strings):
            sizes += np.maximum(column.lengths, 0)
        elif isinstance(column, Ragged):
            for child in column.children.values():
                inner = np.concatenate(([0], np.cumsum(_column_bytes({"child": child}))))
                sizes += inner[column.offsets[1:]] - inner[column.offsets[:-1]]
        else:
            sizes += column.dtype.itemsize * (column.size // max(len(column), 1))
    return sizes


def _compact(columns: Columns) -> Columns:
    """Columns that hold their own bytes only: a held row must not keep its whole journal record in memory."""
    return {name: _compact_column(column) for name, column in columns.items()}


def _compact_column(column: Column) -> Column:
    if isinstance(column, Strings):
        return column.compact()
    return Ragged(column.offsets, _compact(column.children)) if isinstance(column, Ragged) else column
