"""The head of a journal record: the bytes of the Avro library, and the verdict of the columns codec on every damaged value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from effort import drawn
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assay.codecs.avro_cursor import Cursor
from assay.codecs.columns import Columns, Strings
from assay.codecs.columns_bytes import block_of, columns_to_bytes
from assay.codecs.journal_record import BATCH, JournalRecord
from assay.codecs.single_object import HEADER_BYTES, pack, unpack
from assay.codecs.varint import varint
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

LONGS, INTS = st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1)
RECORDS = st.builds(
    JournalRecord,
    shard=INTS, epoch=LONGS, sequence=LONGS, kind=st.sampled_from([BATCH, "", "é"]), wall_us=LONGS, emitted_through=LONGS,
    code_digest=st.binary(min_size=32, max_size=32), run_config_digest=st.binary(min_size=32, max_size=32),
    ranges=st.lists(st.tuples(st.text(max_size=3), INTS, LONGS, LONGS), max_size=3),
    watermarks=st.lists(st.tuples(st.text(max_size=3), INTS, LONGS), max_size=3), rows=INTS,
)  # fmt: skip
COLUMNS: Columns = {"row.a": np.arange(3), "row.b": Strings.of(["x", None, "zz"])}
SAMPLE = JournalRecord(0, 1, 300, BATCH, 2**50, -1, b"c" * 32, b"r" * 32, [("T", 0, 5, 9)], [("U", 3, 2**62)], 3, block_of(COLUMNS))


def by_the_library(record: JournalRecord) -> bytes:
    """The record as the Avro library writes it."""
    return pack("journal_record", {
        "shard": record.shard, "epoch": record.epoch, "sequence": record.sequence, "kind": record.kind,
        "wall_time_utc": record.wall_us, "emitted_through": record.emitted_through,
        "code_digest": record.code_digest, "run_config_digest": record.run_config_digest,
        "ranges": [{"topic": t, "partition": p, "first": a, "last": z} for t, p, a, z in record.ranges],
        "marks": [{"topic": t, "partition": p, "ts_utc": ts} for t, p, ts in record.watermarks],
        "rows": record.rows, "columns": columns_to_bytes(record.columns),
    })  # fmt: skip


@given(RECORDS)
@example(SAMPLE)
@settings(deadline=None, max_examples=drawn(150))
def test_a_record_has_the_bytes_of_the_library_and_is_read_back(record: JournalRecord) -> None:
    value = record.to_bytes()
    assert value == by_the_library(record)
    back = JournalRecord.from_bytes(value)
    assert back == record
    assert columns_to_bytes(back.columns) == columns_to_bytes(record.columns)


def refusal(read: Any, value: bytes) -> Reason | None:
    """The reason in the refusal of the library's way and of ours, None for a record."""
    try:
        read(value)
    except Quarantine as refused:
        return refused.reason
    except Stop as stopped:
        assert stopped.reason is Reason.JOURNAL_UNREADABLE
        cause = stopped.__cause__
        return cause.reason if isinstance(cause, Quarantine) else stopped.reason
    return None


HEAD = len(SAMPLE.to_bytes()) - len(columns_to_bytes(COLUMNS))


@given(st.lists(st.tuples(st.integers(HEADER_BYTES, HEAD - 1), st.integers(0, 255)), max_size=3), st.integers(0, 99), st.binary(max_size=2))
@settings(deadline=None, max_examples=drawn(600))
def test_a_damaged_head_gets_the_verdict_of_the_columns_codec(changes: list[tuple[int, int]], cut: int, more: bytes) -> None:
    value = bytearray(SAMPLE.to_bytes())
    for place, byte in changes:
        value[place] = byte
    damaged = bytes(value)[: max(HEADER_BYTES, len(value) - cut)] + more
    expected = refusal(unpack, damaged)
    found = refusal(JournalRecord.from_bytes, damaged)
    # a head that can be read may stand before columns that cannot
    assert found is expected or (expected is None and found in (Reason.BYTES_TRUNCATED, Reason.BYTES_GARBAGE))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.BYTES_TRUNCATED),
        (b"\x80", Reason.BYTES_TRUNCATED),
        (b"\xff" * 9 + b"\x01", None),
        (b"\xff" * 9 + b"\x02", Reason.BYTES_GARBAGE),
        (b"\xff" * 10 + b"\x01", Reason.BYTES_GARBAGE),
    ],
)
def test_a_number_has_at_most_64_bits(body: bytes, reason: Reason | None) -> None:
    cursor = Cursor(body, 0, "test")
    assert refusal(lambda _: cursor.long(), b"") is reason
    assert reason is not None or Cursor(body, 0, "test").long() == -(2**63)


@pytest.mark.parametrize("value", [0, -1, 1, 63, 64, -64, -65, 2**31, -(2**63), 2**63 - 1])
def test_a_number_is_written_and_read(value: int) -> None:
    cursor = Cursor(varint(value), 0, "test")
    assert cursor.long() == value
    cursor.end()
