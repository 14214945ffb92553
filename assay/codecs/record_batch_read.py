"""Fetched record batches to a column of values, without an object per record.

Only what brokers of today keep for producers of ours is read here: format v2, not compressed, no transaction. For anything
else `read_batches` gives None, and the caller takes the client library's own way.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from assay.codecs.columns import I64, Strings
from assay.codecs.crc32c_kernel import crc32c_of
from assay.codecs.kernel import frozen, kernel, part
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: compression, transaction and control bits of a batch's attributes
_UNUSUAL = 0x37
_HEAD_BYTES = 61
#: offsets a broker gives are far below, and distances within a batch are of 32 bits
_BASE_MAX, _DELTA_MAX = 2**62, 2**31 - 1
#: bytes before a batch's length counts
_LENGTH_FROM = 12
GOOD, UNUSUAL, DAMAGED = range(3)


class Fetched(NamedTuple):
    """Records from the offset asked for on. `next_offset` is where to fetch on; it may lie behind a gap.

    `newest_ms` is the newest timestamp of the batches, milliseconds since the epoch, at least 0.
    """

    offsets: I64
    values: Strings
    next_offset: int
    newest_ms: int


def holds_batch(raw: bytes) -> bool:
    """Whether the bytes begin with a whole batch."""
    return len(raw) >= _LENGTH_FROM and len(raw) >= _LENGTH_FROM + int.from_bytes(raw[8:_LENGTH_FROM], "big")


def read_batches(raw: bytes, first_offset: int) -> Fetched | None:
    """All whole batches of a fetch; records before `first_offset` are left out. None when one is of another kind.

    Raises Quarantine(BYTES_GARBAGE) when a checksum or a record's frame is wrong.
    """
    data = frozen(np.frombuffer(raw, np.uint8), np.uint8)
    found = np.zeros(4, np.int64)
    state = _survey(data, found)
    if state == UNUSUAL:
        return None
    offsets, starts = np.empty(found[0], np.int64), np.empty(found[0], np.int64)
    lengths = np.empty(found[0], np.int32)
    rows = _read(data, int(found[1]), first_offset, offsets, starts, lengths) if state == GOOD else -1
    if rows < 0:
        raise Quarantine(Reason.BYTES_GARBAGE, f"a record batch after offset {first_offset} has a wrong checksum or frame")
    return Fetched(offsets[:rows], Strings(data, starts[:rows], lengths[:rows]), int(found[2]), int(found[3]))


@part
def _big(data: Any, at: int, size: int) -> Any:
    """A signed big-endian number."""
    value = np.int64(np.int8(data[at]))
    for k in range(1, size):
        value = (value << 8) | np.int64(data[at + k])
    return value


@kernel
def _survey(data: Any, found: Any) -> int:
    """`found` = [records, end of the last whole batch, offset after it, newest timestamp]; checksums are compared."""
    at = 0
    while at + _LENGTH_FROM <= len(data):
        end = at + _LENGTH_FROM + _big(data, at + 8, 4)
        if end > len(data):
            break
        if end < at + _HEAD_BYTES:
            return DAMAGED
        if data[at + 16] != 2 or data[at + 22] & _UNUSUAL:
            return UNUSUAL
        if (_big(data, at + 17, 4) & 0xFFFFFFFF) != np.int64(crc32c_of(data, at + 21, end)):
            return DAMAGED
        count = _big(data, at + 57, 4)
        if count < 0 or count > end - at:
            return DAMAGED
        found[0] += count
        found[1] = end
        found[2] = _big(data, at, 8) + _big(data, at + 23, 4) + 1
        found[3] = max(found[3], _big(data, at + 35, 8))
        at = end
    return GOOD


@part
def _varint(data: Any, at: int, end: int) -> tuple[Any, int]:
    """(value, next position); the position is past `end` when the bytes end inside."""
    bits = np.uint64(0)
    shift = np.uint64(0)
    while at < end and shift < np.uint64(70):
        byte = np.uint64(data[at])
        at += 1
        bits |= (byte & np.uint64(127)) << shift
        if byte < np.uint64(128):
            return np.int64(bits >> np.uint64(1)) ^ -np.int64(bits & np.uint64(1)), at
        shift += np.uint64(7)
    return np.int64(0), end + 1


@kernel
def _read(data: Any, until: int, first_offset: int, offsets: Any, starts: Any, lengths: Any) -> int:
    """Frames of all records before `until`; how many were kept, -1 when a frame is wrong."""
    row = 0
    at = 0
    while at < until:
        base, end = _big(data, at, 8), at + _LENGTH_FROM + _big(data, at + 8, 4)
        count = _big(data, at + 57, 4)
        at += _HEAD_BYTES
        for _ in range(count):
            size, at = _varint(data, at, end)
            stop = at + size
            if at > end or size < 0 or stop > end:
                return -1
            _, at = _varint(data, at + 1, stop)
            delta, at = _varint(data, at, stop)
            key, at = _varint(data, at, stop)
            if at > stop or key < -1 or key > stop - at:
                return -1
            if base < 0 or base > _BASE_MAX or delta < 0 or delta > _DELTA_MAX:  # no broker's; their sum would overflow
                return -1
            length, at = _varint(data, at + max(key, 0), stop)
            if at > stop or length < -1 or length > stop - at:
                return -1
            if base + delta >= first_offset:
                offsets[row], starts[row], lengths[row] = base + delta, at, length
                row += 1
            at = stop
        if at != end:
            return -1
    return row
