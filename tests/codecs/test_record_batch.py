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
from assay.codecs.record_batch_read import read_batches
from assay.codecs.record_headers import framed_headers, value_headers
from assay.codecs.single_object import record_type
from assay.contracts.avro_schemas import current, fingerprint_hex

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


def test_records_of_a_topic_of_several_types_say_their_type_and_schema() -> None:
    mark, decision = record_type("mark").header + b"rest", record_type("decision_response").header + b"rest"
    values = Strings.of([mark, None, decision, b"", b"garbage of no type", mark])
    batches = record_batches(Strings.of([None, b"k", b"", b"k", b"k", b"k"]), values, 5, 300, framed_headers(values))
    assert len(batches) > 1
    assert all(len(batch.data) <= 300 for batch in batches)
    read = [record for batch in batches for record in _read(sealed(batch, 7, 3, 11))]
    assert [record.value for record in read] == values.tolist()
    of_mark, of_decision = (
        [("record_type", name), ("schema_fingerprint", released.encode())]
        for name, released in ((b"mark", "cb8872cbf0474206"), (b"decision_response", fingerprint_hex(current()["decision_response"])))
    )
    assert [list(record.headers) for record in read] == [of_mark, [], of_decision, [], [], of_mark]
    assert value_headers(mark) == [(name, told.decode()) for name, told in of_mark]
    assert value_headers(b"") is None


def test_batches_with_headers_are_read_as_those_without() -> None:
    values = Strings.of([record_type("mark").header + b"%d" % number for number in range(50)])
    (batch,) = record_batches(Strings.repeat(b"k", 50), values, 5, 100_000, framed_headers(values))
    fetched = read_batches(sealed(batch, 7, 3, 11), 0)
    assert fetched is not None
    assert fetched.values.tolist() == values.tolist()


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
