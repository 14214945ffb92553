"""Kafka's own record batch, format v2: rows of two columns become the bytes a produce request carries.

Layout (Kafka protocol guide, "Record Batch"): a head of 61 bytes, then records of varints. Nothing is compressed; all
records of a batch have one timestamp. Headers come framed, see `record_headers.py`. What the producer knows (its id, epoch and
sequence) is filled in by `sealed`, which also sets the checksum, so that a batch can be framed ahead in another thread.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np

from assay.codecs.avro_encode_kernel import write_varint
from assay.codecs.columns import U8, Strings
from assay.codecs.crc32c_kernel import crc32c
from assay.codecs.intrinsics import copy
from assay.codecs.kernel import frozen, kernel, part

#: base offset, length after this field, leader epoch, magic, checksum, attributes, last offset delta, first and last
#: timestamp, producer id, producer epoch, base sequence, records
HEAD = struct.Struct(">qiibIhiqqqhii")
#: the checksum covers everything from here
COVERED_FROM = 21
_PRODUCER = struct.Struct(">qhi")
_PRODUCER_AT = 43
_CHECKSUM_AT = 17
_LENGTH_FROM = 12
#: a varint of a length or offset delta, of which a record has four, and two single bytes
_AROUND_RECORD = 4 * 5 + 2


class RecordBatch(NamedTuple):
    """One batch as a writable array, with room for what the producer fills in."""

    data: U8
    records: int


def record_batches(keys: Strings, values: Strings, timestamp_ms: int, bytes_max: int, headers: Strings | None = None) -> list[RecordBatch]:
    """The rows in order, in batches of at most `bytes_max` bytes; a row that is larger has one of its own. No `headers`: none."""
    headers = Strings.repeat(b"\0", len(keys.lengths)) if headers is None else headers
    for column in (keys, values, headers):
        column.check()
    columns = (*_frozen(keys), *_frozen(values), *_frozen(headers))
    sizes = np.maximum(keys.lengths, 0).astype(np.int64) + np.maximum(values.lengths, 0) + headers.lengths + _AROUND_RECORD
    batches: list[RecordBatch] = []
    row = 0
    while row < len(sizes):
        until = _until(sizes, row, bytes_max - HEAD.size)
        data = np.empty(HEAD.size + int(sizes[row:until].sum()), np.uint8)
        size = _write_records(*columns, row, until, HEAD.size, data)
        records = until - row
        head = HEAD.pack(0, size - _LENGTH_FROM, -1, 2, 0, 0, records - 1, timestamp_ms, timestamp_ms, -1, -1, -1, records)
        data[: HEAD.size] = np.frombuffer(head, np.uint8)
        batches.append(RecordBatch(data[:size], records))
        row = until
    return batches


def sealed(batch: RecordBatch, producer_id: int, producer_epoch: int, base_sequence: int) -> bytes:
    """The finished bytes of a batch from this producer."""
    state = _PRODUCER.pack(producer_id, producer_epoch, base_sequence)
    batch.data[_PRODUCER_AT : _PRODUCER_AT + _PRODUCER.size] = np.frombuffer(state, np.uint8)
    checksum = crc32c(batch.data, COVERED_FROM, len(batch.data))
    batch.data[_CHECKSUM_AT:COVERED_FROM] = np.frombuffer(checksum.to_bytes(4, "big"), np.uint8)
    return batch.data.tobytes()


def _until(sizes: Any, row: int, room: int) -> int:
    """The first row that does not fit any more; at least one does."""
    held = np.cumsum(sizes[row:])
    return row + max(1, int(np.searchsorted(held, room, side="right")))


@part
def _write_bytes(out: Any, at: int, data: Any, start: int, length: Any) -> int:
    """A length and that many bytes; -1 and nothing for null."""
    at = write_varint(out, at, np.int64(length))
    if length > 0:
        copy(out, at, data, start, length)
        at += length
    return at


@part
def _varint_bytes(value: Any) -> int:
    """Bytes of a zigzag varint of a number that is not below -1."""
    bits = (value << 1) ^ (value >> 63)
    count = 1
    while bits >= 128:
        bits >>= 7
        count += 1
    return count


def _frozen(text: Strings) -> tuple[Any, Any, Any]:
    return frozen(text.data, np.uint8), frozen(text.starts, np.int64), frozen(text.lengths, np.int32)


@kernel
def _write_records(
    key_data: Any, key_starts: Any, key_lengths: Any, data: Any, starts: Any, lengths: Any, head_data: Any, head_starts: Any,
    head_lengths: Any, first: int, until: int, at: int, out: Any,
) -> int:  # fmt: skip
    """Records `first` to `until` (exclusive) from `at` on; where they end. The caller has made room for all."""
    for row in range(first, until):
        key: Any = np.int64(key_lengths[row])
        value: Any = np.int64(lengths[row])
        delta = np.int64(row - first)
        # attributes and timestamp delta are one byte each
        size = 2 + head_lengths[row] + _varint_bytes(delta) + _varint_bytes(key) + max(key, 0) + _varint_bytes(value) + max(value, 0)
        at = write_varint(out, at, size)
        out[at] = 0
        out[at + 1] = 0
        at = write_varint(out, at + 2, delta)
        at = _write_bytes(out, at, key_data, key_starts[row], key)
        at = _write_bytes(out, at, data, starts[row], value)
        copy(out, at, head_data, head_starts[row], head_lengths[row])
        at += head_lengths[row]
    return at
