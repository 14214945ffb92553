"""A journal record survives its bytes, and bytes that hold no journal record are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import RTDL, mark

from assay.codecs.columns import Columns, Strings
from assay.codecs.columns_bytes import block_of
from assay.codecs.journal_record import BATCH, CLAIM, RESULT, TICK, UPGRADE, JournalRecord
from assay.codecs.single_object import pack, unpack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

LONGS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
INTS = st.integers(min_value=-(2**31), max_value=2**31 - 1)
DIGESTS = st.binary(min_size=32, max_size=32)
RANGES = st.lists(st.tuples(st.text(), INTS, LONGS, LONGS), max_size=3)
WATERMARKS = st.lists(st.tuples(st.text(), INTS, LONGS), max_size=3)
KINDS = st.sampled_from([BATCH, TICK, RESULT, CLAIM, UPGRADE])
RECORDS = st.builds(JournalRecord, INTS, LONGS, LONGS, KINDS, LONGS, LONGS, DIGESTS, DIGESTS, RANGES, WATERMARKS, INTS)
EMPTY = JournalRecord(0, 0, 0, BATCH, 0, -1, bytes(32), bytes(32))


@given(RECORDS)
def test_every_field_comes_back_from_the_bytes(record: JournalRecord) -> None:
    assert JournalRecord.from_bytes(record.to_bytes()) == record


@given(st.lists(st.tuples(LONGS, st.none() | st.binary(max_size=9)), max_size=5))
def test_the_columns_come_back_from_the_bytes(rows: list[tuple[int, bytes | None]]) -> None:
    columns: Columns = {"row.ts_us": np.array([ts for ts, _ in rows], np.int64), "row.event_id": Strings.of([text for _, text in rows])}
    found = JournalRecord.from_bytes(replace(EMPTY, rows=len(rows), block=block_of(columns)).to_bytes()).columns
    texts = found["row.event_id"]
    assert isinstance(texts, Strings)
    assert list(zip(np.asarray(found["row.ts_us"]).tolist(), texts.tolist(), strict=True)) == rows


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(EMPTY.to_bytes()[:-1], id="cut"),
        pytest.param(b"", id="no bytes"),
        pytest.param(mark(RTDL, 0, 5), id="a record of another type"),
        pytest.param(pack("journal_record", unpack(EMPTY.to_bytes())[1] | {"columns": b"ASC1"}), id="columns that cannot be read"),
    ],
)
def test_bytes_that_hold_no_journal_record_are_refused(value: bytes) -> None:
    with pytest.raises(Stop) as refused:
        JournalRecord.from_bytes(value)
    assert refused.value.reason is Reason.JOURNAL_UNREADABLE
