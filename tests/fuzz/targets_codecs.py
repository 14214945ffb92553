"""Decoders of bytes: Avro values, columns, Kafka's record batches. Other people's decoders judge ours."""

from __future__ import annotations

import io
from functools import cache
from typing import Any, Final

import fastavro
import numpy as np
from aiokafka.record.default_records import DefaultRecordBatchBuilder, _DefaultRecordBatchPy
from aiokafka.record.util import decode_varint_py
from fuzz import examples
from fuzz.engine import Target, refusal

from assay.codecs.avro_decode import REASONS, Decoded, decode
from assay.codecs.avro_encode import encode
from assay.codecs.columns import Columns, Ragged, Strings
from assay.codecs.columns_bytes import columns_from_bytes, columns_to_bytes
from assay.codecs.columns_layout import HEAD
from assay.codecs.crc32c_kernel import crc32c
from assay.codecs.journal_record import NAME, JournalRecord
from assay.codecs.record_batch_read import holds_batch, read_batches
from assay.codecs.single_object import HEADER_BYTES, RecordType, plan_of, record_types, split, unpack
from assay.contracts.errors import Quarantine, Stop

MIDDLE: Final = np.array([1])


def meet_avro(value: bytes) -> Any:
    """One value between two good ones. What we take fastavro takes, whole and as the same record; what we refuse it takes only where
    it is laxer than the specification: then the bytes it writes for what it read are others, and those we must take.
    """
    found = int(split(Strings.of([value]))[0])
    if found < 0:
        return _unknown(value)
    known = record_types()[found]
    good = _good(known.name)
    decoded = decode(plan_of(known.name), *Strings.of([good, value, good]), HEADER_BYTES)
    assert (decoded.verdict[0], decoded.verdict[2]) == (0, 0), "a good record beside a bad one"
    written = encode(plan_of(known.name), decoded.columns).tolist() if decoded.verdict[1] == 0 else None
    if written is not None:
        assert written[0] == written[2] == good[HEADER_BYTES:], "a good record beside another was read otherwise"
    reason = REASONS[int(decoded.verdict[1])]
    _same_alone(value, known, reason)
    if known.name == NAME:
        _same_head(value, reason)
    read, whole, canonical = _by_fastavro(value[HEADER_BYTES:], known)
    if written is not None:
        assert whole and canonical == written[1], f"fastavro reads {read!r} where we read otherwise"
    else:
        assert not whole or canonical != value[HEADER_BYTES:], f"refused as {reason}, fastavro reads {read!r}"
        if whole and canonical is not None:
            again = decode(plan_of(known.name), *Strings.of([canonical]))
            assert again.verdict[0] == 0, f"refused as {REASONS[int(again.verdict[0])]}: what fastavro wrote"
    return known.name, reason, whole, _shape(decoded)


def _unknown(value: bytes) -> Any:
    try:
        unpack(value)
    except Quarantine as refused:
        return refusal(refused)
    raise AssertionError("a value of no type was read")


def _same_alone(value: bytes, known: RecordType, reason: Any) -> None:
    """One value is judged as in a batch."""
    try:
        assert unpack(value)[0] == known.name and reason is None
    except Quarantine as refused:
        assert refused.reason is reason


def _same_head(value: bytes, reason: Any) -> None:
    """The reader of journal records judges the head as the columns codec does; behind a good head, columns may be refused."""
    try:
        JournalRecord.from_bytes(value)
    except Stop as stopped:
        cause = stopped.__cause__
        assert isinstance(cause, Quarantine)
        assert reason is None or cause.reason is reason
    else:
        assert reason is None


def _by_fastavro(body: bytes, known: RecordType) -> tuple[Any, bool, bytes | None]:
    """(what it read, whether it came to the end of the bytes, what it writes for it).

    It reads and writes an int beyond 32 bits, which is none: its own check of values says so.
    """
    stream, again = io.BytesIO(body), io.BytesIO()
    try:
        record = fastavro.schemaless_reader(stream, known.parsed, None)
    except Exception as error:  # noqa: BLE001 - whatever it says, it does not take the bytes
        return error, False, None
    whole = stream.read(1) == b"" and fastavro.validate(record, known.parsed, raise_errors=False)
    try:
        fastavro.schemaless_writer(again, known.parsed, record)
    except Exception:  # noqa: BLE001 - it cannot write what it read
        return record, whole, None
    return record, whole, again.getvalue()


@cache
def _good(name: str) -> bytes:
    return next(value for value in examples.values() if unpack(value)[0] == name)


def _shape(decoded: Decoded) -> Any:
    """How many items the lists of the middle row hold, roughly."""
    lists = [column for column in decoded.columns.values() if isinstance(column, Ragged)]
    return tuple(int(column.offsets[2] - column.offsets[1]).bit_length() for column in lists)


def meet_columns(data: bytes) -> Any:
    """Columns come back as they were written, and any choice of their rows can be written too."""
    try:
        columns = columns_from_bytes(data)
    except Quarantine as refused:
        return refusal(refused)
    written = columns_to_bytes(columns)
    assert columns_to_bytes(columns_from_bytes(written)) == written
    return tuple((_kind(column), len(name).bit_length()) for name, column in columns.items())[:8]


def _kind(column: Any) -> Any:
    if isinstance(column, Strings):
        return "strings", len(column.lengths).bit_length()
    if isinstance(column, Ragged):
        return "lists", tuple(_kind(child) for child in column.children.values())
    return str(column.dtype), column.ndim, column.size.bit_length()


def _column_seeds() -> list[bytes]:
    lists = Ragged(np.array([0, 1, 1, 3]), {"k": Strings.of(["a", None, "c"]), "v": np.arange(3.0)})
    some: list[Columns] = [
        {},
        {"a": np.arange(3), "b": Strings.of(["x", None, ""]), "r": lists},
        {"empty": Ragged(np.zeros(3, np.int64), {}), "thin": np.zeros((2, 0), np.uint8)},
        {"flag": np.array([True, False]), "wide": np.zeros((2, 32), np.uint8)},
        {"nested": Ragged(np.array([0, 2]), {"inner": Ragged(np.array([0, 1, 2]), {"x": np.arange(2, dtype=np.int16)})})},
    ]
    journaled = [unpack(value)[1]["columns"] for value in examples.values() if unpack(value)[0] == "journal_record"]
    return [*map(columns_to_bytes, some), *journaled]


def resized(data: bytes) -> bytes:
    """The size of all bytes put right, so that what is inside is looked at."""
    return data[:8] + len(data).to_bytes(8, "little") + data[HEAD.size :] if len(data) > HEAD.size else data


def meet_batches(raw: bytes) -> Any:
    """Fetched bytes give the records that aiokafka's own reader finds in them, or they are refused, or left to it."""
    holds_batch(raw)
    try:
        fetched = read_batches(raw, 0)
    except Quarantine as refused:
        return refusal(refused)
    if fetched is None:
        return "unusual"
    found = list(zip(fetched.offsets.tolist(), fetched.values.tolist(), strict=True))
    expected = _by_aiokafka(raw)
    assert expected is None or found == expected, f"{found} where aiokafka reads {expected}"
    return len(found).bit_length(), expected is None


class _Careful(_DefaultRecordBatchPy):  # type: ignore[misc]  # untyped
    """aiokafka's reader with its plain Python numbers: its compiled ones read past the end of a damaged batch.

    It takes a record's attributes for a variable-length number, where Kafka writes one byte: it cannot judge those of two bytes.
    """

    def _read_msg(self) -> Any:
        _, at = decode_varint_py(self._buffer, self._pos)
        if self._buffer[at] & 0x80:
            raise ValueError("attributes")
        return super()._read_msg(decode_varint_py)


def _by_aiokafka(raw: bytes) -> list[tuple[int, bytes | None]] | None:
    """Offsets and values from 0 on; None where it cannot read them."""
    found, at = [], 0
    try:
        while at + 12 <= len(raw) and at + 12 + int.from_bytes(raw[at + 8 : at + 12], "big", signed=True) <= len(raw):
            end = at + 12 + int.from_bytes(raw[at + 8 : at + 12], "big", signed=True)
            found += [(record.offset, record.value) for record in _Careful(bytearray(raw[at:end])) if record.offset >= 0]
            at = end
    except Exception:  # noqa: BLE001 - whatever it says, it does not take the bytes
        return None
    return [(offset, None if value is None else bytes(value)) for offset, value in found]


def _written(rows: list[tuple[bytes | None, bytes | None]], base: int, **options: Any) -> bytes:
    builder = DefaultRecordBatchBuilder(2, options.get("compression", 0), options.get("transactional", 0), 5, 1, 0, 10**6)
    for i, (key, value) in enumerate(rows):
        builder.append(i, 1_700_000_000_000 + i, key, value, options.get("headers", []))
    return base.to_bytes(8, "big") + bytes(builder.build())[8:]


def _batch_seeds() -> list[bytes]:
    one, two = _written([(b"k", b"v" * 20), (None, None), (b"", b"")], 0), _written([(b"key", bytes(70))], 9, headers=[("h", b"x")])
    return [
        one,
        two,
        one + two,
        one + two[:30],
        _written([(b"k", b"v" * 99)], 3, compression=1),
        _written([(b"k", b"v")], 3, transactional=1),
    ]


def sealed_again(raw: bytes) -> bytes:
    """The checksums of all whole batches put right."""
    data, at = bytearray(raw), 0
    while at + 61 <= len(data):
        end = at + 12 + int.from_bytes(data[at + 8 : at + 12], "big", signed=True)
        if not at + 61 <= end <= len(data):
            break
        data[at + 17 : at + 21] = crc32c(np.frombuffer(bytes(data), np.uint8), at + 21, end).to_bytes(4, "big")
        at = end
    return bytes(data)


TARGETS: Final = (
    Target("avro", lambda: list(examples.values()), meet_avro, 250, kernels=True),
    Target("columns", _column_seeds, meet_columns, 150, repair=resized),
    Target("record_batches", _batch_seeds, meet_batches, 100, kernels=True, repair=sealed_again),
)
