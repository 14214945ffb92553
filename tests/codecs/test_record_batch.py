"""Record batches are read back by an independent reader exactly as the rows they were made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs import crc32c_kernel
from assay.codecs.columns import Strings
from assay.codecs.crc32c_kernel import crc32c
from assay.codecs.record_batch import HEAD, record_batches, sealed

ROWS = st.lists(st.tuples(st.none() | st.binary(max_size=40), st.none() | st.binary(max_size=300)), min_size=1, max_size=60)


def _read(raw: bytes) -> list[Any]:
    found = []
    records = MemoryRecords(raw)
    while records.has_next():
        batch = records.next_batch()
        assert batch.validate_crc()
        found += list(batch)
    return found


@settings(deadline=None)
@given(ROWS, st.integers(61, 3_000), st.integers(0, 2**62))
def test_rows_come_back_in_order_from_batches_that_keep_their_bound(
    rows: list[tuple[bytes | None, bytes | None]], bytes_max: int, wall_ms: int
) -> None:
    batches = record_batches(Strings.of([k for k, _ in rows]), Strings.of([v for _, v in rows]), wall_ms, bytes_max)
    read = [record for batch in batches for record in _read(sealed(batch, 7, 3, 11))]
    assert [(record.key, record.value) for record in read] == rows
    assert {record.timestamp for record in read} == {wall_ms}
    assert sum(batch.records for batch in batches) == len(rows)
    assert all(len(batch.data) <= bytes_max for batch in batches if batch.records > 1)


def test_a_batch_says_who_produced_it() -> None:
    (batch,) = record_batches(Strings.of([b"k"] * 3), Strings.of([b"v"] * 3), 5, 1_000)
    head = HEAD.unpack(sealed(batch, 2**40, 9, 77)[: HEAD.size])
    assert head[-4:] == (2**40, 9, 77, 3)
    assert HEAD.unpack(sealed(batch, 1, 2, 3)[: HEAD.size])[-4:] == (1, 2, 3, 3)


def test_rows_taken_from_anywhere_in_a_buffer_are_framed_as_they_are() -> None:
    keys = Strings.of([b"a", None, b"ccc", b""]).take(np.array([2, 0, 3, 1, 2]))
    values = Strings.repeat(b"same" * 40, 5)
    (batch,) = record_batches(keys, values, 1, 100_000)
    assert [record.key for record in _read(sealed(batch, -1, -1, -1))] == [b"ccc", b"a", b"", None, b"ccc"]


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 20))
def test_checksum_equals_an_independent_one(data: bytes, begin: int) -> None:
    begin = min(begin, len(data))
    assert crc32c(np.frombuffer(data, np.uint8), begin, len(data)) == calc_crc32c(data[begin:])


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_tables_give_what_the_instruction_gives(word: int) -> None:
    start = np.uint64(0xFFFFFFFF)
    assert int(crc32c_kernel._step_by_tables(start, np.uint64(word)) ^ start) == calc_crc32c(word.to_bytes(8, "little"))
