"""The layout of a block of columns: names, kinds and types, and where the numbers of its header and the bytes of its arrays are.

A layout is bound once per set of columns and kept: of a block that has it, two kernel calls read the numbers, check them against the bytes
and place every column. The first block of a set, and any damaged header, is parsed entry by entry.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from assay.codecs.columns import I64, U8, Column, Ragged, Strings
from assay.codecs.columns_layout_kernel import ARRAY, BOOLEAN, ITEMSIZE, KIND, LISTS, NUMBER, PARENT, PLAN_COLUMNS, STRINGS
from assay.codecs.kernel import frozen
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

MAGIC = b"ASC1"
#: magic, bytes of the header, bytes of all
HEAD = struct.Struct("<4sIQ")
DTYPES = tuple(np.dtype(code) for code in ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8"))
#: Nesting of lists that is read; records of the bus have one level.
DEPTH_MAX = 8
#: layouts kept, and the longest header that is kept: a lane has a handful, garbage has any number
KEPT, KEPT_BYTES = 128, 1 << 14


class Entry(NamedTuple):
    """One column of a header. `code` and `dimensions` are those of an array, `children` are the columns of a list's items."""

    name: str
    kind: int
    code: int = 0
    dimensions: int = 0
    children: tuple[Entry, ...] = ()


class Placed(NamedTuple):
    """A column and its place: its row in the plan, the first of its numbers; `children` are the columns of a list's items by name."""

    row: int
    number: int
    kind: int
    code: int
    dimensions: int
    children: tuple[tuple[str, Placed], ...]


class Layout:
    """The layout of these columns, in order of their names. Immutable."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        template, numbers, plan = bytearray(), list[int](), list[list[int]]()
        _describe(entries, -1, template, numbers, plan)
        #: the header with its numbers 0, the first byte behind it in a block, and the place of each number in it
        self.template = np.frombuffer(bytes(template), np.uint8)
        self.body = HEAD.size + len(template) + -(HEAD.size + len(template)) % 8
        self.numbers_at: I64 = frozen(np.array(numbers, np.int64), np.int64)
        #: a row per column, lists before their children, see `columns_layout_kernel.py`
        self.plan: I64 = frozen(np.array(plan, np.int64).reshape(-1, PLAN_COLUMNS), np.int64)
        #: the columns by name
        self.placed = dict(_placed(entries, iter(self.plan[:, NUMBER].tolist()), count()))
        self.texts = sum(entry.kind == STRINGS for entry in entries)
        self.has_lists = any(entry.kind == LISTS for entry in entries)
        self._within: dict[str, tuple[tuple[str, Placed], ...]] = {}

    def within(self, prefix: str) -> tuple[tuple[str, Placed], ...]:
        """The columns whose names begin with a prefix, in order, by the rest of their names. A layout is asked for few prefixes."""
        found = self._within.get(prefix)
        if found is None:
            told = ((name.removeprefix(prefix), placed) for name, placed in self.placed.items() if name.startswith(prefix))
            found = self._within[prefix] = tuple(told)
        return found

    @cached_property
    def front(self) -> U8:
        """The bytes of a block before its columns, with its numbers and its size 0."""
        written = HEAD.pack(MAGIC, len(self.template), 0) + self.template.tobytes()
        return np.frombuffer(written.ljust(self.body, b"\0"), np.uint8)

    @cached_property
    def is_number(self) -> U8:
        """1 for each byte of the header that belongs to a number."""
        mask = np.zeros(len(self.template), np.uint8)
        mask[(self.numbers_at[:, None] + np.arange(8)).reshape(-1)] = 1
        return frozen(mask, np.uint8)


def _placed(entries: Sequence[Entry], numbers: Iterator[int], rows: Iterator[int]) -> Iterator[tuple[str, Placed]]:
    for name, kind, code, dimensions, children in entries:
        row, number = next(rows), next(numbers)
        yield name, Placed(row, number, kind, code, dimensions, tuple(_placed(children, numbers, rows)))


def layout_of(columns: Mapping[str, Column]) -> Layout:
    """The layout of columns. Raises Stop(COLUMNS_MISMATCH) for a dtype or shape that has no code."""
    return _bound(tuple([_form(name, column) for name, column in columns.items()]))


def layout_in(header: bytes) -> Layout:
    """The layout that a header describes. Raises Quarantine(BYTES_GARBAGE)."""
    parser = _Parser(header)
    entries = parser.entries(0)
    if parser.at != len(header):
        raise garbage("bytes are left over")
    return Layout(entries)


def garbage(what: str) -> Quarantine:
    """The refusal of bytes that are no columns."""
    return Quarantine(Reason.BYTES_GARBAGE, what, where="columns", remedy="These bytes were not written by the column codec.")


#: what tells two sets of columns apart, in the order in which they are given
Form = tuple[Any, ...]


def _form(name: str, column: Column) -> Form:
    if isinstance(column, Strings):
        return name, STRINGS
    if isinstance(column, Ragged):
        return name, LISTS, tuple([_form(child, held) for child, held in column.children.items()])
    return name, column.dtype, column.ndim


@lru_cache(KEPT)
def _bound(forms: tuple[Form, ...]) -> Layout:
    return Layout(_entries(forms))


def _entries(forms: Sequence[Form]) -> tuple[Entry, ...]:
    return tuple(sorted(map(_entry, forms)))


def _entry(form: Form) -> Entry:
    name, kind = form[:2]
    if kind == STRINGS:
        return Entry(name, STRINGS)
    if kind == LISTS:
        return Entry(name, LISTS, children=_entries(form[2]))
    plain, dimensions = kind.newbyteorder("<"), form[2]
    if plain not in DTYPES or dimensions not in (1, 2):
        what = f"an array of {plain} with {dimensions} dimensions is no column"
        raise Stop(Reason.COLUMNS_MISMATCH, what, remedy="Use integers, reals or bytes in one or two dimensions.")
    return Entry(name, ARRAY, DTYPES.index(plain), dimensions)


def _describe(entries: Sequence[Entry], parent: int, template: bytearray, numbers: list[int], plan: list[list[int]]) -> None:
    template += struct.pack("<H", len(entries))
    for entry in entries:
        encoded = entry.name.encode()
        template += struct.pack("<H", len(encoded)) + encoded + struct.pack("<B", entry.kind)
        template += struct.pack("<BB", entry.code, entry.dimensions) if entry.kind == ARRAY else b""
        row = [0] * PLAN_COLUMNS
        row[KIND], row[NUMBER], row[PARENT] = entry.kind, len(numbers), parent
        if entry.kind == ARRAY:
            row[ITEMSIZE], row[BOOLEAN] = DTYPES[entry.code].itemsize, entry.code == 0
        for _ in range(entry.dimensions if entry.kind == ARRAY else 2):
            numbers.append(len(template))
            template += bytes(8)
        # an array of one dimension has no second number: its width is 1
        row[ITEMSIZE] = -row[ITEMSIZE] if entry.kind == ARRAY and entry.dimensions == 1 else row[ITEMSIZE]
        plan.append(row)
        if entry.kind == LISTS:
            _describe(entry.children, len(plan) - 1, template, numbers, plan)


class _Parser:
    """Reads the entries of a header at `at`."""

    def __init__(self, header: bytes) -> None:
        self._header = header
        self.at = 0

    def entries(self, depth: int) -> tuple[Entry, ...]:
        """One group of columns."""
        if depth > DEPTH_MAX:
            raise garbage("lists are nested too deep")
        found: list[Entry] = []
        for entry in self._entries(depth):
            if found and entry.name <= found[-1].name:
                raise garbage("columns are out of order")
            found.append(entry)
        return tuple(found)

    def _entries(self, depth: int) -> Iterator[Entry]:
        (count,) = self._numbers("<H")
        for _ in range(count):
            yield self._entry(depth)

    def _entry(self, depth: int) -> Entry:
        name = self._name()
        (kind,) = self._numbers("<B")
        if kind == ARRAY:
            code, dimensions = self._numbers("<BB")
            if code >= len(DTYPES) or dimensions not in (1, 2):
                raise garbage("an array's type is unknown")
            self._numbers(f"<{dimensions}Q")
            return Entry(name, ARRAY, code, dimensions)
        if kind not in (STRINGS, LISTS):
            raise garbage(f"kind {kind} of column is unknown")
        self._numbers("<2Q")
        return Entry(name, kind, children=self.entries(depth + 1) if kind == LISTS else ())

    def _numbers(self, form: str) -> tuple[int, ...]:
        size = struct.calcsize(form)
        if self.at + size > len(self._header):
            raise garbage("the header ends inside an entry")
        values = struct.unpack_from(form, self._header, self.at)
        self.at += size
        return values

    def _name(self) -> str:
        (size,) = self._numbers("<H")
        encoded = self._header[self.at : self.at + size]
        self.at += size
        try:
            return encoded.decode()
        except UnicodeDecodeError as error:
            raise garbage("a column's name is not UTF-8") from error
