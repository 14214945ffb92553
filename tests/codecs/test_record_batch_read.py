"""Batches of independent writers come back as the rows they hold; damage is refused, what is unusual is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.columns import Strings
from assay.codecs.record_batch import record_batches, sealed
from assay.codecs.record_batch_read import holds_batch, read_batches
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

Row = tuple[bytes | None, bytes | None]
ROWS = st.lists(st.tuples(st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=200)), min_size=1, max_size=40)


def written(rows: list[Row], base: int, *, compression: int = 0, transactional: int = 0, headers: Any = ()) -> bytes:
    """One batch by aiokafka's own writer, placed at an offset as a broker does."""
    builder = DefaultRecordBatchBuilder(2, compression, transactional, 5, 1, 0, 10**6)
    for i, (key, value) in enumerate(rows):
        builder.append(i, 1_700_000_000_000 + i * i, key, value, list(headers))
    return base.to_bytes(8, "big") + bytes(builder.build())[8:]


@settings(deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=3), st.integers(0, 2**40), st.integers(0, 60), st.binary(max_size=30))
def test_rows_from_an_offset_on_come_back_whatever_follows_the_last_whole_batch(
    batches: list[list[Row]], base: int, skip: int, rest: bytes
) -> None:
    raw, offset, expected = b"", base, []
    for rows in batches:
        raw += written(rows, offset, headers=[("h", b"x")])
        expected += [(offset + i, value) for i, (_, value) in enumerate(rows) if offset + i >= base + skip]
        offset += len(rows) + 3  # a gap, as compaction leaves one
        raw = raw[: len(raw)]
    partial = written([(b"k", bytes(100))], offset)[: 12 + len(rest)]
    fetched = read_batches(raw + partial, base + skip)
    assert fetched is not None
    assert list(zip(fetched.offsets.tolist(), fetched.values.tolist(), strict=True)) == expected
    assert fetched.next_offset == offset - 3
    assert fetched.newest_ms == 1_700_000_000_000 + max((len(rows) - 1) ** 2 for rows in batches)


@settings(deadline=None)
@given(ROWS)
def test_what_our_writer_frames_our_reader_reads(rows: list[Row]) -> None:
    batches = record_batches(Strings.of([k for k, _ in rows]), Strings.of([v for _, v in rows]), 1, 500)
    read = [value for batch in batches if (f := read_batches(sealed(batch, 1, 1, 1), 0)) for value in f.values.tolist()]
    assert read == [value for _, value in rows]


@pytest.mark.parametrize("options", [{"compression": 1}, {"transactional": 1}])
def test_a_batch_of_another_kind_is_left_to_the_client(options: dict[str, int]) -> None:
    assert read_batches(written([(b"k", b"v")], 0) + written([(b"k", b"v" * 100)], 1, **options), 0) is None


@settings(deadline=None)
@given(st.integers(21, 200), st.integers(1, 255))
def test_a_changed_byte_is_refused(at: int, change: int) -> None:
    raw = bytearray(written([(b"k", bytes(100)), (None, bytes(60))], 7))
    raw[at % (len(raw) - 21) + 21] ^= change
    try:
        fetched = read_batches(bytes(raw), 0)
    except Quarantine as refused:
        assert refused.reason is Reason.BYTES_GARBAGE
    else:
        assert fetched is None


#: found by `make fuzz`: a record one before the lowest offset there is, which came out as the highest
BELOW_THE_LOWEST = bytes.fromhex(
    "80000000000000000000005bffffffff02e1e572cd0000000000020000018bcfe568000000018bcfe568020000000000000005000100000000000000033600"
    "0000026b287676800000007676767676767676767676767676000c0000010001000c000404000000"
)


def far_apart() -> bytes:
    """A batch whose first record is said to be 2**33 offsets behind its beginning."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, 5, 1, 0, 10**6)
    for offset in (2**33, 1):
        builder.append(offset, 1_700_000_000_000, b"k", b"v", [])
    return bytes(builder.build())


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(written([(b"k", b"v")], 2**64 - 1), id="a negative offset"),
        pytest.param(written([(b"k", b"v")] * 2, 2**63 - 1), id="beyond the highest"),
        pytest.param(BELOW_THE_LOWEST, id="below the lowest"),
        pytest.param((5).to_bytes(8, "big") + BELOW_THE_LOWEST[8:], id="before its batch"),
        pytest.param(far_apart(), id="farther than a batch reaches"),
    ],
)
def test_offsets_that_no_broker_gives_are_refused(raw: bytes) -> None:
    with pytest.raises(Quarantine) as refused:
        read_batches(raw, 0)
    assert refused.value.reason is Reason.BYTES_GARBAGE


def test_a_fetch_that_ends_inside_its_first_batch_holds_none() -> None:
    raw = written([(b"k", b"v")], 0)
    assert holds_batch(raw)
    assert not holds_batch(raw[:-1])
    assert not holds_batch(raw[:11])
