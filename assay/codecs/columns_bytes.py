"""Columns as bytes: exact, self-describing, little-endian, at the speed of copying memory.

Layout: magic "ASC1", u32 bytes of header, u64 bytes of all; the header describes the columns in order of their names; then
the arrays, each padded to 8 bytes. A header entry is u16 length of the name, the name, u8 kind, then

* array: u8 dtype code, u8 dimensions, u64 per dimension;
* strings: u64 rows, u64 bytes (lengths as int32, -1 for null, then the bytes in row order);
* lists: u64 rows, u64 items, u16 child columns, their entries (lengths as int64, then the children's arrays).

Equal columns give equal bytes, however their buffers are laid out.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import U8, Column, Columns, Ragged, Strings, rows, take
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

MAGIC = b"ASC1"
HEAD = struct.Struct("<4sIQ")
ARRAY, STRINGS, LISTS = range(3)
DTYPES = tuple(np.dtype(code) for code in ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8"))
#: Nesting of lists that is read; records of the bus have one level.
DEPTH_MAX = 8


def columns_to_bytes(columns: Columns) -> bytes:
    """The bytes of columns. Raises Stop(COLUMNS_MISMATCH) for a dtype or shape that has no code."""
    header, arrays = bytearray(), list[U8]()
    _write(columns, header, arrays)
    size = HEAD.size + len(header)
    parts: list[Any] = [b"", header, bytes(-size % 8)]
    size += -size % 8
    for array in arrays:
        parts += (array.data, bytes(-len(array) % 8))
        size += len(array) + -len(array) % 8
    parts[0] = HEAD.pack(MAGIC, len(header), size)
    return b"".join(parts)


def columns_from_bytes(data: bytes | U8) -> Columns:
    """The columns in these bytes, over one private copy, in order of their names.

    Raises Quarantine: BYTES_TRUNCATED when there are too few bytes, BYTES_GARBAGE for anything else that is wrong.
    """
    whole = np.array(np.frombuffer(data, np.uint8))
    if len(whole) < HEAD.size:
        raise Quarantine(Reason.BYTES_TRUNCATED, f"columns of {len(whole)} bytes have no header")
    magic, header, size = HEAD.unpack(whole[: HEAD.size].tobytes())
    if magic != MAGIC or size < HEAD.size + header:
        raise _garbage("the head is not that of columns")
    if len(whole) < size:
        raise Quarantine(Reason.BYTES_TRUNCATED, f"columns have {len(whole)} of {size} bytes")
    reader = _Reader(whole, HEAD.size + header)
    columns = reader.columns(0)
    if reader.at != HEAD.size + header or reader.body != len(whole):
        raise _garbage("bytes are left over")
    return columns


def _write(columns: Columns, header: bytearray, arrays: list[U8]) -> None:
    header += struct.pack("<H", len(columns))
    for name in sorted(columns):
        encoded = name.encode()
        header += struct.pack("<H", len(encoded)) + encoded
        _write_column(columns[name], header, arrays)


def _write_column(column: Column, header: bytearray, arrays: list[U8]) -> None:
    if isinstance(column, Strings):
        packed = column.compact()
        header += struct.pack("<BQQ", STRINGS, len(packed.lengths), len(packed.data))
        arrays += (_raw(np.maximum(packed.lengths, -1).astype("<i4", copy=False)), _raw(packed.data))
    elif isinstance(column, Ragged):
        first, last = int(column.offsets[0]), int(column.offsets[-1])
        whole = first == 0 and last == rows(column.children)
        children = column.children if whole else take(column.children, np.arange(first, last))
        header += struct.pack("<BQQ", LISTS, len(column.offsets) - 1, last - first)
        arrays.append(_raw(np.diff(column.offsets).astype("<i8", copy=False)))
        _write(children, header, arrays)
    else:
        plain = column.astype(column.dtype.newbyteorder("<"), copy=False)
        if plain.dtype not in DTYPES or plain.ndim not in (1, 2):
            what = f"an array of {plain.dtype} with {plain.ndim} dimensions is no column"
            raise Stop(Reason.COLUMNS_MISMATCH, what, remedy="Use integers, reals or bytes in one or two dimensions.")
        header += struct.pack(f"<BBB{plain.ndim}Q", ARRAY, DTYPES.index(plain.dtype), plain.ndim, *plain.shape)
        arrays.append(_raw(plain))


def _raw(array: NDArray[Any]) -> U8:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


class _Reader:
    """Reads header entries at `at` and their arrays at `body`, checking each length before it is believed."""

    def __init__(self, whole: U8, end: int) -> None:
        self.whole = whole
        self.header = whole[:end].tobytes()
        self.at = HEAD.size
        self.body = end + -end % 8

    def columns(self, depth: int) -> Columns:
        """One group of columns."""
        if depth > DEPTH_MAX:
            raise _garbage("lists are nested too deep")
        found: Columns = {}
        for _ in range(self._number("<H")):
            name = self._name()
            if found and name <= next(reversed(found)):
                raise _garbage("columns are out of order")
            found[name] = self._column(depth)
        return found

    def _column(self, depth: int) -> Column:
        kind = self._number("<B")
        if kind == STRINGS:
            n, size = self._number("<Q"), self._number("<Q")
            return self._strings(n, size)
        if kind == LISTS:
            n, items = self._number("<Q"), self._number("<Q")
            return self._lists(n, items, depth)
        if kind != ARRAY:
            raise _garbage(f"kind {kind} of column is unknown")
        code, dimensions = self._number("<B"), self._number("<B")
        if code >= len(DTYPES) or dimensions not in (1, 2):
            raise _garbage("an array's type is unknown")
        shape = [self._number("<Q") for _ in range(dimensions)]
        return self._array(DTYPES[code], shape)

    def _strings(self, n: int, size: int) -> Strings:
        lengths = self._array(np.dtype("<i4"), [n])
        data = self._array(np.dtype("|u1"), [size])
        held = np.maximum(lengths, 0).astype(np.int64)
        ends = np.cumsum(held)
        if (n and int(lengths.min()) < -1) or (int(ends[-1]) if n else 0) != size:
            raise _garbage("lengths of strings do not add up")
        return Strings(data, ends - held, lengths)

    def _lists(self, n: int, items: int, depth: int) -> Ragged:
        counts = self._array(np.dtype("<i8"), [n])
        # each count is bounded first, so that the sum cannot wrap
        if (n and (int(counts.min()) < 0 or int(counts.max()) > items)) or n * items > 2**62 or int(counts.sum()) != items:
            raise _garbage("lengths of lists do not add up")
        offsets = np.zeros(n + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        children = self.columns(depth + 1)
        if any(rows({"": child}) != items for child in children.values()) or (items and not children):
            raise _garbage("a list's columns differ in length")
        return Ragged(offsets, children)

    def _array(self, dtype: np.dtype[Any], shape: list[int]) -> NDArray[Any]:
        size = dtype.itemsize
        for dimension in shape:
            size *= dimension
        # rows without a width take no bytes: what bounds them is that a row costs some elsewhere
        if size > len(self.whole) - self.body or shape[0] > len(self.whole) or max(shape) > 2**31:
            raise _garbage("an array is larger than the bytes")
        raw = self.whole[self.body : self.body + size]
        self.body += size + -size % 8
        array = raw.view(dtype).reshape(shape)
        if dtype == np.bool_ and bool((raw > 1).any()):
            raise _garbage("a boolean is neither 0 nor 1")
        return array

    def _number(self, form: str) -> int:
        size = struct.calcsize(form)
        if self.at + size > len(self.header):
            raise _garbage("the header ends inside an entry")
        (value,) = struct.unpack_from(form, self.header, self.at)
        self.at += size
        return int(value)

    def _name(self) -> str:
        size = self._number("<H")
        encoded = self.header[self.at : self.at + size]
        self.at += size
        try:
            return encoded.decode()
        except UnicodeDecodeError as error:
            raise _garbage("a column's name is not UTF-8") from error


def _garbage(what: str) -> Quarantine:
    return Quarantine(Reason.BYTES_GARBAGE, what, where="columns", remedy="These bytes were not written by the column codec.")
