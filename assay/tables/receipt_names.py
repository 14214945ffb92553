"""The names in a segment of receipts as a Bloom filter: receipt ids, event ids and places on the bus, without any of them itself.

The filter is a pure function of the segment's bytes. It has 20 bits for each name that the lines could hold, in blocks of 256 bytes. All
ten bits of a name lie in one block, so who asks fetches one block. About one name in 9,000 that is not there seems to be. A name counts as
the line writes it: the text between the quotes, escapes included.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64, U8
from assay.codecs.intrinsics import load64
from assay.codecs.kernel import Int, inlined, kernel
from assay.codecs.lines import lines_in
from assay.tables.text_hash import hash128

#: the number of this form of the filter; another form is another number
FORM: Final = 1
BLOCK_BYTES: Final = 256
NAME_BITS: Final = 20
#: bits that a name sets, half of them from each of its hashes
BITS: Final = 10
#: name spaces: receipt ids and event ids share one
ID, PLACE = 0, 1
_NAMES_A_LINE: Final = 3
_BLOCK_BITS = BLOCK_BYTES * 8
_POSITION = np.uint64(_BLOCK_BITS - 1)
_NOT_NEGATIVE = np.uint64(2**62 - 1)
#: how a line begins, and what stands around its place
_HEAD = np.frombuffer(b'{"receipt_id":"', np.uint8), np.frombuffer(b'","decision":"', np.uint8), np.frombuffer(b'","event_id":"', np.uint8)
_AROUND = np.frombuffer(b'"eb_ref":{', np.uint8), np.frombuffer(b'","partition":', np.uint8), np.frombuffer(b',"offset":"', np.uint8)
_TOPIC_BYTES = len('{"topic":"')
_NEWLINE, _QUOTE, _BACKSLASH, _BRACE, _ZERO, _NINE = (ord(sign) for sign in '\n"\\{09')
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)


class Probe(NamedTuple):
    """Where the bits of a name lie: in block `block` modulo the number of blocks, at these bits of it."""

    block: int
    bits: list[int]


@inlined
def _follows(data: U8, at: Int, text: U8) -> bool:
    if at + len(text) > len(data):
        return False
    for k in range(len(text)):  # noqa: SIM110  # a kernel has no generators
        if data[at + k] != text[k]:
            return False
    return True


@inlined
def _end_of_text(data: U8, at: Int) -> Int:
    """The quote that ends the text that begins here, or the end of the line."""
    while at < len(data) and data[at] != _QUOTE and data[at] != _NEWLINE:
        at += 2 if data[at] == _BACKSLASH else 1
    return min(at, len(data))


@inlined
def _set(data: U8, start: Int, end: Int, space: Int, names: U8) -> None:
    first, second = hash128(data, start, end - start, space)
    block = np.int64(first & _NOT_NEGATIVE) % (len(names) // BLOCK_BYTES)
    for k in range(BITS):
        bits = first if k < BITS // 2 else second
        position = np.int64((bits >> np.uint64(9 + 11 * (k % (BITS // 2)))) & _POSITION)
        names[block * BLOCK_BYTES + (position >> 3)] |= np.uint8(1 << (position & 7))


@inlined
def _next(data: U8, at: Int, end: Int, byte: Int) -> Int:
    """The first place of a byte from here on, `end` for none; eight bytes at a time."""
    wanted = np.uint64(byte) * _ONES
    while at + 8 <= end:
        word = load64(data, at) ^ wanted
        if (word - _ONES) & ~word & _HIGHS != 0:
            break
        at += 8
    while at < end and data[at] != byte:
        at += 1
    return at


@inlined
def _place(data: U8, at: Int, end: Int, reference: U8, partition: U8, offset: U8) -> tuple[Int, Int]:
    """(start, end) of the place in the rest of a line; start is `end` where it has none, -1 where it reads otherwise."""
    at = _next(data, at, end, _BRACE)
    # a quote inside of a text is escaped, so this is the key and nothing else
    while at < end and not _follows(data, at + 1 - len(reference), reference):
        at = _next(data, at + 1, end, _BRACE)
    if at == end:
        return end, end
    at = _end_of_text(data, at + _TOPIC_BYTES)
    if not _follows(data, at, partition):
        return np.int64(-1), end
    start = at + len(partition)
    at = start
    while at < end and data[at] >= _ZERO and data[at] <= _NINE:
        at += 1
    if not _follows(data, at, offset):
        return np.int64(-1), end
    return start, _end_of_text(data, at + len(offset))


@kernel
def _read(data: U8, shapes: tuple[U8, U8, U8], of_place: tuple[U8, U8, U8], names: U8) -> int:
    """Set the bits of every line; the number of lines, or -1 for one that is no receipt's."""
    receipt, decision, event = shapes
    reference, partition, offset = of_place
    at, lines = np.int64(0), 0
    while at < len(data):
        start = at + len(receipt)
        end = _end_of_text(data, start)
        if not _follows(data, at, receipt) or not _follows(data, end, decision):
            return -1
        _set(data, start, end, ID, names)
        at = _end_of_text(data, end + len(decision))
        if not _follows(data, at, event):
            return -1
        start = at + len(event)
        at = _end_of_text(data, start)
        if at == len(data) or data[at] != _QUOTE:
            return -1
        _set(data, start, at, ID, names)
        line_end = _next(data, at, np.int64(len(data)), _NEWLINE)
        start, end = _place(data, at, line_end, reference, partition, offset)
        if start < 0:
            return -1
        if start < line_end:
            _set(data, start, end, PLACE, names)
        at, lines = line_end + 1, lines + 1
    return lines


@kernel
def _of_name(data: U8, space: int, positions: I64) -> None:
    first, second = hash128(data, 0, len(data), space)
    positions[0] = np.int64(first & _NOT_NEGATIVE)
    for k in range(BITS):
        bits = first if k < BITS // 2 else second
        positions[k + 1] = np.int64((bits >> np.uint64(9 + 11 * (k % (BITS // 2)))) & _POSITION)


def names_of(segment: bytes) -> bytes | None:
    """The filter over the names of whole lines; None where a line is no receipt as this version reads them."""
    lines = lines_in(segment)
    blocks = max(1, -(-lines * _NAMES_A_LINE * NAME_BITS // _BLOCK_BITS))
    names: NDArray[np.uint8] = np.zeros(blocks * BLOCK_BYTES, np.uint8)
    found = _read(np.frombuffer(segment, np.uint8), _HEAD, _AROUND, names)
    return names.tobytes() if found == lines else None


def probe_of(name: bytes, space: int) -> Probe:
    """Where a name of this space would be."""
    positions = np.empty(BITS + 1, np.int64)
    _of_name(np.frombuffer(name, np.uint8), space, positions)
    block, *bits = positions.tolist()
    return Probe(block, bits)


def place_name(partition: int, offset: int) -> bytes:
    """A place on the bus, of any topic, as its name."""
    return f'{partition},"offset":"{offset}'.encode()
