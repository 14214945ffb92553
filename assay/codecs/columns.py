"""Columns: what a batch of records is in memory, and its exact bytes in the journal.

A column is one of

* a numpy array of shape (n,) or (n, width): integers, reals, fixed-size bytes;
* `Strings`: n byte strings inside one shared buffer, length -1 for null;
* `Ragged`: n lists, each a run of rows of child columns.

`Columns` is a plain mapping from name to column. Selecting or reordering rows touches only starts and lengths.

Columns are read and never written: several blocks may share their memory. Columns that a lane reads from records or that a step gives
are settled, so kernels take them as they are; `take`, `cut` and `concat` may give new arrays that are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.codecs.intrinsics import OUTSIDE, SAME, gather, survey
from assay.codecs.kernel import frozen
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

U8: TypeAlias = NDArray[np.uint8]
I32: TypeAlias = NDArray[np.int32]
I64: TypeAlias = NDArray[np.int64]


class Strings(NamedTuple):
    """n byte strings: row i is `data[starts[i] : starts[i] + lengths[i]]`; null when `lengths[i]` is -1."""

    data: U8
    starts: I64
    lengths: I32

    @classmethod
    def of(cls, values: Iterable[str | bytes | None]) -> Strings:
        """Build from Python values; str is taken as UTF-8."""
        values = list(values)
        if (plain := _plain_texts(values)) is not None:
            return plain
        encoded = [v.encode() if isinstance(v, str) else v for v in values]
        lengths = np.array([-1 if v is None else len(v) for v in encoded], np.int32)
        data = np.frombuffer(bytearray().join(v for v in encoded if v is not None), np.uint8)
        return cls(data, _starts(lengths), lengths)

    @classmethod
    def repeat(cls, value: bytes, n: int) -> Strings:
        """The same string n times, stored once."""
        return cls(np.frombuffer(bytearray(value), np.uint8), np.zeros(n, np.int64), np.full(n, len(value), np.int32))

    @classmethod
    def nulls(cls, n: int) -> Strings:
        """n nulls."""
        return cls(np.zeros(0, np.uint8), np.zeros(n, np.int64), np.full(n, -1, np.int32))

    def row(self, i: int) -> bytes | None:
        """Row i as bytes, None for null."""
        length = int(self.lengths[i])
        return None if length < 0 else self.data[int(self.starts[i]) : int(self.starts[i]) + length].tobytes()

    def tolist(self) -> list[bytes | None]:
        """All rows as Python bytes."""
        raw = self.data.tobytes()
        pairs = zip(self.starts.tolist(), self.lengths.tolist(), strict=True)
        return [None if length < 0 else raw[start : start + length] for start, length in pairs]

    def text(self) -> list[str | None]:
        """All rows decoded as UTF-8."""
        return [None if v is None else v.decode() for v in self.tolist()]

    def take(self, index: NDArray[Any]) -> Strings:
        """Rows chosen and ordered by index; the buffer is shared."""
        return Strings(self.data, self.starts[index], self.lengths[index])

    def compact(self) -> Strings:
        """The same rows in a buffer of exactly their bytes, in row order."""
        starts = _starts(self.lengths)
        held = np.maximum(self.lengths, 0)
        total = int(held.sum(dtype=np.int64))
        if total == len(self.data) and np.array_equal(starts, self.starts):
            return self
        self.check()
        data = np.empty(total, np.uint8)
        gather(data, starts, frozen(self.data, np.uint8), frozen(self.starts, np.int64), frozen(held, np.int64))
        return Strings(data, starts, self.lengths.astype(np.int32, copy=False))

    def tally(self) -> dict[str, int]:
        """How often each text occurs, for rows that lie on few places of a small buffer, none of them empty or null."""
        counts = np.bincount(self.starts, minlength=len(self.data))
        lengths = np.zeros(len(counts), np.int32)
        lengths[self.starts] = self.lengths
        found: dict[str, int] = {}
        for at in np.flatnonzero(counts).tolist():
            text = self.data[at : at + int(lengths[at])].tobytes().decode()
            found[text] = found.get(text, 0) + int(counts[at])
        return found

    def check(self) -> bool:
        """True if all rows are one and the same. Raises Stop(COLUMNS_MISMATCH) if a row lies outside of the buffer.

        Kernels trust this.
        """
        found = survey(frozen(self.starts, np.int64), frozen(self.lengths, np.int32), len(self.data))
        if found == OUTSIDE:
            what = f"a row of {len(self.lengths)} strings lies outside of its {len(self.data)} bytes"
            raise Stop(Reason.COLUMNS_MISMATCH, what, remedy="Build rows from the buffer they came with.")
        return found == SAME


class Ragged(NamedTuple):
    """n lists: row i holds child rows `offsets[i]` up to `offsets[i + 1]`."""

    offsets: I64
    children: dict[str, Any]


Column: TypeAlias = NDArray[Any] | Strings | Ragged
Columns: TypeAlias = dict[str, Column]


def settled(column: Column) -> Column:
    """The column, contiguous and read-only from now on: nobody changes it behind the back of a reader, and a kernel meets one type.

    Arrays are locked in place, so whoever made them cannot write to them any more; only an array that is not contiguous is copied.
    """
    if isinstance(column, Strings):
        return settled_strings(column)
    if isinstance(column, Ragged):
        return Ragged(_settled(column.offsets), {name: settled(child) for name, child in column.children.items()})
    return _settled(column)


def settled_strings(strings: Strings) -> Strings:
    """The strings, settled."""
    return Strings(*arrays_of(strings))


def arrays_of(strings: Strings) -> tuple[U8, I64, I32]:
    """Bytes, starts and lengths, settled, as a kernel takes them: a plain tuple is passed on five times as fast as a named one."""
    data, starts, lengths = strings
    return _settled(data), _settled(starts), _settled(lengths)


def settled_columns(columns: Mapping[str, Column]) -> Columns:
    """All columns settled."""
    return {name: settled(column) for name, column in columns.items()}


def _settled(array: NDArray[Any]) -> NDArray[Any]:
    flags = array.flags
    if not flags.c_contiguous:
        array = np.ascontiguousarray(array)
        flags = array.flags
    if flags.writeable:
        flags.writeable = False
    return array


def rows(columns: Mapping[str, Column]) -> int:
    """Number of rows; 0 for no columns."""
    for column in columns.values():
        if isinstance(column, Ragged):
            return len(column.offsets) - 1
        return len(column.lengths) if isinstance(column, Strings) else len(column)
    return 0


def take(columns: Mapping[str, Column], index: NDArray[Any]) -> Columns:
    """Rows chosen and ordered by an integer index."""
    return {name: _take(column, index) for name, column in columns.items()}


def cut(columns: Mapping[str, Column], start: int, stop: int) -> Columns:
    """Rows from `start` up to `stop` (exclusive); nothing is copied but the offsets of lists."""
    return {name: _cut(column, start, stop) for name, column in columns.items()}


def concat(parts: Sequence[Mapping[str, Column]]) -> Columns:
    """Rows of all parts one after another. Every part has the same names and kinds of columns."""
    if len(parts) == 1:
        return dict(parts[0])
    return {name: _concat([part[name] for part in parts]) for name in parts[0]}


def interleave(first: Strings, second: Strings) -> Strings:
    """Rows first[0], second[0], first[1], second[1], …; both have n rows, the result 2n."""
    together = _concat([first, second])
    assert isinstance(together, Strings)
    return together.take(np.arange(2 * len(first.lengths)).reshape(2, -1).T.reshape(-1))


def _plain_texts(values: list[Any]) -> Strings | None:
    """Texts that are ASCII and all there, encoded at once; None for any others."""
    try:
        joined = "".join(values)
    except TypeError:
        return None
    if not joined.isascii():
        return None
    lengths = np.fromiter(map(len, values), np.int32, len(values))
    return Strings(np.frombuffer(bytearray(joined, "ascii"), np.uint8), _starts(lengths), lengths)


def _starts(lengths: I32) -> I64:
    ends = np.cumsum(np.maximum(lengths, 0), dtype=np.int64)
    return ends - np.maximum(lengths, 0)


def _take(column: Column, index: NDArray[Any]) -> Column:
    if isinstance(column, Strings):
        return column.take(index)
    if isinstance(column, Ragged):
        counts = np.diff(column.offsets)[index]
        offsets = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        items = np.repeat(column.offsets[:-1][index] - offsets[:-1], counts) + np.arange(offsets[-1])
        return Ragged(offsets, take(column.children, items))
    taken: NDArray[Any] = column[index]
    return taken


def _cut(column: Column, start: int, stop: int) -> Column:
    if isinstance(column, Strings):
        return Strings(column.data, column.starts[start:stop], column.lengths[start:stop])
    if isinstance(column, Ragged):
        first, last = int(column.offsets[start]), int(column.offsets[stop])
        return Ragged(column.offsets[start : stop + 1] - first, cut(column.children, first, last))
    part: NDArray[Any] = column[start:stop]
    return part


def _slim(strings: Strings) -> Strings:
    """Itself, or the rows alone where its buffer holds more of other things than of them."""
    held = int(np.maximum(strings.lengths, 0).sum(dtype=np.int64))
    return strings if len(strings.data) <= 2 * held else strings.compact()


def _concat(parts: Sequence[Column]) -> Column:
    first = parts[0]
    if isinstance(first, Strings):
        strings = [_slim(part) for part in parts if isinstance(part, Strings)]
        shift = np.cumsum([0, *(len(part.data) for part in strings)])
        starts = np.concatenate([part.starts + at for part, at in zip(strings, shift, strict=False)])
        data = np.concatenate([part.data for part in strings])
        return Strings(data, starts, np.concatenate([part.lengths for part in strings]))
    if isinstance(first, Ragged):
        lists = [part for part in parts if isinstance(part, Ragged)]
        counts = np.concatenate([np.diff(part.offsets) for part in lists])
        offsets = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        return Ragged(offsets, concat([part.children for part in lists]))
    return np.concatenate([np.asarray(part) for part in parts])
