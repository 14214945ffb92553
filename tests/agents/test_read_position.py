"""The read position: every record of a fetch is taken once, and an offset that never came is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.agents.read_position import Unread, consecutive, unread
from assay.agents.step import Chunk
from assay.codecs.columns import Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

INPUT = ("INPUT", 0)


def fetched(offsets: list[int], begins: int = -1) -> Chunk:
    """Records without a value at these offsets."""
    return Chunk(*INPUT, np.array(offsets, np.int64), Strings.of([b""] * len(offsets)), begins)


def gap(expected: int, found: int) -> Stop:
    """The refusal of a journal's missing offset."""
    return Stop(Reason.JOURNAL_SEQUENCE_GAP, f"{expected} is missing before {found}")


@pytest.mark.parametrize(
    ("begins", "offsets", "expected", "found"),
    [
        pytest.param(5, [5, 6, 7], 5, Unread(0, 8, []), id="all of it is new"),
        pytest.param(5, [7, 8], 5, Unread(0, 9, [(5, 6)]), id="its beginning holds no record"),
        pytest.param(0, [0, 3, 4, 6], 0, Unread(0, 7, [(1, 2), (5, 5)]), id="no record between records"),
        pytest.param(0, [0, 3, 4, 6], 4, Unread(2, 7, [(5, 5)]), id="a part was read before"),
        pytest.param(0, [0, 3], 4, None, id="all of it was read before"),
        pytest.param(0, [10**12], 0, Unread(0, 10**12 + 1, [(0, 10**12 - 1)]), id="many offsets without a record"),
        pytest.param(-1, [4, 6], 5, Unread(1, 7, [(5, 5)]), id="a chunk that does not say where it begins"),
    ],
)
def test_the_unread_part_of_a_chunk_begins_at_the_expected_offset(
    begins: int, offsets: list[int], expected: int, found: Unread | None
) -> None:
    assert unread("rtdl", fetched(offsets, begins), expected) == found


@pytest.mark.parametrize(("begins", "offsets", "found"), [(-1, [6, 7], 6), (7, [9], 7)])
def test_a_chunk_that_begins_after_the_expected_offset_is_refused(begins: int, offsets: list[int], found: int) -> None:
    with pytest.raises(Stop, match=f"goes on at offset {found}, expected 5") as refused:
        unread("rtdl", fetched(offsets, begins), 5)
    assert (refused.value.reason, refused.value.where) == (Reason.INPUT_GAP, "INPUT[0]")


@given(st.lists(st.integers(0, 30), unique=True, min_size=1).map(sorted), st.integers(0, 31))
def test_every_offset_is_unread_or_without_record_or_read_before(offsets: list[int], expected: int) -> None:
    found = unread("rtdl", fetched(offsets, 0), expected)
    new = [offset for offset in offsets if offset >= expected]
    if found is None:
        assert not new
        return
    assert offsets[found.first :] == new
    empty = [offset for first, last in found.without_record for offset in range(first, last + 1)]
    assert sorted(new + empty) == list(range(expected, found.next_offset))


@pytest.mark.parametrize(("offsets", "expected", "missing", "before"), [([4, 6], 4, 5, 6), ([5], 4, 4, 5), ([3, 4], 4, 4, 3)])
def test_records_of_a_journal_follow_one_another(offsets: list[int], expected: int, missing: int, before: int) -> None:
    with pytest.raises(Stop, match=f"{missing} is missing before {before}"):
        consecutive(offsets, expected, gap)
    assert consecutive(range(expected, expected + 3), expected, gap) == expected + 3
    assert consecutive([], expected, gap) == expected
