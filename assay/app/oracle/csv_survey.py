"""Counts the rows of a CSV and their fields without its parser, and finds what parsers read differently: quotes, breaks, row lengths.

The grammar is that of RFC 4180: a field is quoted as a whole, and a mark within is doubled. Rows end with LF or CR LF. Everything is
found by the positions of a few bytes, a block of whole rows at a time.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_LF, _CR, _BACKSLASH = 10, 13, 92
BLOCK_BYTES: Final = 16 << 20

Positions = NDArray[np.int64]

_ESCAPE_REMEDY = (
    r"""Declare how marks are written within a field: csv.escape: "\\" (Spark, MySQL), or csv.escape: '"' where they are doubled """
    "and a backslash is text."
)
_BREAK_REMEDY = "Declare csv.multiline: true where fields hold line breaks, csv.quote: none where quotation marks are plain text."
_MARK_REMEDY = "Quote the whole field and double the mark, or declare csv.quote: none where marks are plain text."
_RETURN_REMEDY = "Save the file with lines that end in a line feed."


class Dialect(NamedTuple):
    """Bytes of the separator and the quotation mark (None: no quoting); is the escape declared; may fields hold line breaks."""

    separator: int
    quote: int | None
    escape_declared: bool
    multiline: bool


class Fault(NamedTuple):
    """The first place of a file that parsers may read differently. Row 0 is the header."""

    row: int
    what: str
    remedy: str


class Survey(NamedTuple):
    """Rows of data, and where the header ends (its line feed, or the end of the file)."""

    rows: int
    header_end: int


class _Block(NamedTuple):
    """Whole rows: their bytes, the starts and ends of rows (an end is its line feed), the line feeds within fields, and the marks."""

    data: NDArray[np.uint8]
    starts: Positions
    ends: Positions
    breaks: Positions
    marks: Positions
    last: bool


def survey(text: bytes, dialect: Dialect, block_bytes: int = BLOCK_BYTES) -> Survey | Fault:
    """Count a file's rows, or find its first fault. `text` is UTF-8 from the header on, without empty lines at its end."""
    at, rows, width, header_end = 0, -1, 0, len(text)
    size = block_bytes
    while at < len(text):
        block = _block(text, at, size, dialect)
        if block is None:  # one row is longer than a block
            size *= 2
            continue
        fields = _fields(block, dialect)
        if not width:
            width, header_end = int(fields[0]), int(block.ends[0])
        fault = _first_fault(block, dialect, fields, width)
        if fault is not None:
            position, what, remedy = fault
            return Fault(rows + 1 + int(np.searchsorted(block.ends, position)), what, remedy)
        rows += len(block.ends)
        at, size = at + int(block.ends[-1]) + 1, block_bytes
    return Survey(max(rows, 0), header_end)


def _block(text: bytes, at: int, size: int, dialect: Dialect) -> _Block | None:
    """The whole rows from a row's start, in `size` bytes; None where not one ends there and none is at fault."""
    data = np.frombuffer(text, np.uint8, min(size, len(text) - at), at)
    marks = _at(data, dialect.quote)
    feeds = _at(data, _LF)
    outside = _outside(feeds, marks)
    ends, breaks = feeds[outside], feeds[~outside]
    last = at + len(data) == len(text)
    if last or (not len(ends) and len(breaks) and not dialect.multiline):
        ends = np.append(ends, len(data))
    elif not len(ends):
        return None
    end = int(ends[-1])
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
    return _Block(data[: end + 1], starts, ends, breaks[breaks < end], marks[marks < end], last)


def _fields(block: _Block, dialect: Dialect) -> Positions:
    """The number of fields of each row."""
    separators = _at(block.data, dialect.separator)
    separators = separators[_outside(separators, block.marks)]
    counted: Positions = np.diff(np.searchsorted(separators, block.ends), prepend=0) + 1
    return counted


def _first_fault(block: _Block, dialect: Dialect, fields: Positions, width: int) -> tuple[int, str, str] | None:
    """Position, fault and remedy."""
    unclosed = block.marks[-1:] if block.last and len(block.marks) % 2 else block.marks[:0]
    found = [
        (_escape(block, dialect), "a backslash before a quotation mark", _ESCAPE_REMEDY),
        (_misplaced(block, dialect), "a quotation mark in the middle of a field", _MARK_REMEDY),
        (unclosed, "a quotation mark that is never closed", _BREAK_REMEDY),
        (block.breaks if not dialect.multiline else block.breaks[:0], "a line break within a quoted field", _BREAK_REMEDY),
        (_lone_returns(block, dialect), "a carriage return that ends no line", _RETURN_REMEDY),
        (_empty(block), "an empty line", "Take the line out of the file."),
    ]
    faults = [(int(positions[0]), what, remedy) for positions, what, remedy in found if len(positions)]
    ragged = np.flatnonzero(fields != width)
    if len(ragged):
        row = int(ragged[0])
        faults.append((int(block.ends[row]), *_ragged(int(fields[row]), width, last=block.last and row == len(fields) - 1)))
    return min(faults, key=lambda fault: fault[0], default=None)


def _ragged(fields: int, width: int, *, last: bool) -> tuple[str, str]:
    what = f"{fields} field{'s' if fields != 1 else ''}, the header has {width}"
    if fields < width and last:
        return f"{what}: the file ends in the middle of a row", "Get the whole file again, or complete its last row."
    return what, "Give every row the fields of the header; quote a field that holds the separator, or declare csv.separator, csv.preamble."


def _escape(block: _Block, dialect: Dialect) -> Positions:
    if dialect.quote is None or dialect.escape_declared or not len(block.marks):
        return block.marks[:0]
    after = block.marks[block.marks > 0]
    escapes: Positions = after[block.data[after - 1] == _BACKSLASH] - 1
    return escapes


def _misplaced(block: _Block, dialect: Dialect) -> Positions:
    """Marks that neither begin nor end a field, and are not doubled."""
    if dialect.quote is None:
        return block.marks
    opening, closing = block.marks[0::2], block.marks[1::2]
    before = block.data[np.maximum(opening - 1, 0)]
    begins = (opening == 0) | np.isin(before, [dialect.separator, _LF, dialect.quote])
    after = block.data[np.minimum(closing + 1, len(block.data) - 1)]
    ends = (closing + 1 == len(block.data)) | np.isin(after, [dialect.separator, _LF, _CR, dialect.quote])
    return np.sort(np.concatenate([opening[~begins], closing[~ends]]))


def _lone_returns(block: _Block, dialect: Dialect) -> Positions:
    returns = _at(block.data, _CR)
    if dialect.multiline:
        returns = returns[_outside(returns, block.marks)]
    after = block.data[np.minimum(returns + 1, len(block.data) - 1)]
    lone: Positions = returns[after != _LF]
    return lone


def _empty(block: _Block) -> Positions:
    lengths = block.ends - block.starts
    empty: Positions = block.starts[(lengths == 0) | ((lengths == 1) & (block.data[np.minimum(block.starts, len(block.data) - 1)] == _CR))]
    return empty


def _at(data: NDArray[np.uint8], byte: int | None) -> Positions:
    return np.flatnonzero(data == byte) if byte is not None else np.zeros(0, np.int64)


def _outside(positions: Positions, marks: Positions) -> NDArray[np.bool_]:
    """Which positions are outside of quoted fields."""
    outside: NDArray[np.bool_] = np.searchsorted(marks, positions) % 2 == 0
    return outside
