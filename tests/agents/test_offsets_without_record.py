"""Offsets that hold no record (ends of transactions, aborted or compacted records) are passed over and journaled as done."""

from __future__ import annotations

from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from records import INPUTS, RTDL, TRAFFIC, mark, payment
from simulated_worlds import config

from assay.agents.lane import LaneMachine
from assay.agents.step import Chunk
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.columns import Strings
from assay.codecs.journal_record import JournalRecord
from assay.codecs.single_object import unpack

WALL_US = 1_800_000_000_000_000
PLACE = (TRAFFIC, 0)


def chunk(begins: int, offsets: list[int]) -> Chunk:
    """What a fetch from `begins` gives: payments named by their offsets."""
    return Chunk(*PLACE, np.array(offsets, np.int64), Strings.of([sent(offset) for offset in offsets]), begins)


@cache
def sent(offset: int) -> bytes:
    """The payment at an offset."""
    return payment(f"e{offset}", 5 + offset)


def lane() -> LaneMachine:
    """A lane in order of arrival that has read nothing."""
    return fold_machine_of(TOPOLOGY.lane("rtdl"), config().model_copy(update={"ordering": "arrival"}), partition_counts(1))


def worked(one: LaneMachine) -> tuple[list[bytes], list[str]]:
    """Journal records for all it holds, and the events decided by them."""
    entries = list(iter(lambda: one.next_entry(WALL_US), None))
    decided = [
        unpack(value or b"")[1]["source_event"]["event_id"]
        for entry in entries
        for emission in one.apply(entry.value).emissions
        if emission.handle == RTDL
        for value in emission.values.tolist()
    ]
    return [entry.value for entry in entries], decided


@given(
    st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=6), min_size=1, max_size=5),
    st.integers(0, 5),
)
def test_any_gaps_leave_nothing_undecided_and_no_position_behind(fetches: list[list[int]], restart_before: int) -> None:
    """Each fetch is the distances between its records; the lane starts anew from its journal before one of them."""
    one, journaled, decided, everything, ends = lane(), list[bytes](), list[str](), list[int](), 0
    for number, distances in enumerate(fetches):
        offsets = (ends - 1 + np.cumsum(distances)).tolist()
        everything += offsets
        if number == restart_before:
            one = lane()
            for value in journaled:
                one.recover(value)
            one.unemitted()
            ends = one.position().get(PLACE, 0)
        one.receive(chunk(ends, offsets))
        values, events = worked(one)
        journaled, decided, ends = journaled + values, decided + events, offsets[-1] + 1
        assert one.position()[PLACE] == ends
    assert decided == [f"e{offset}" for offset in everything]
    covered = [
        offset for value in journaled for *_, first, last in JournalRecord.from_bytes(value).ranges for offset in range(first, last + 1)
    ]
    assert sorted(covered) == list(range(ends))


def test_a_mark_behind_offsets_without_a_record_is_journaled_so_that_an_input_can_end() -> None:
    one = fold_machine_of(TOPOLOGY.lane("rtdl"), config(), partition_counts(1))
    for handle in INPUTS:
        offsets, values = np.array([3], np.int64), Strings.of([mark(handle, 0, 0, final=True)])
        one.receive(Chunk(handle, 0, offsets, values, begins=0))
    worked(one)
    assert one.finished()
    assert one.position() == {(handle, 0): 4 for handle in INPUTS}


def test_an_offset_without_a_record_that_is_journaled_is_not_journaled_again_after_a_restart() -> None:
    """The row before it still waits for a watermark, so reading begins before both."""
    one = fold_machine_of(TOPOLOGY.lane("rtdl"), config(), partition_counts(1))
    one.receive(chunk(0, [0, 2]))
    first = one.next_entry(WALL_US)
    assert first is not None
    again = fold_machine_of(TOPOLOGY.lane("rtdl"), config(), partition_counts(1))
    again.recover(first.value)
    again.unemitted()
    assert again.position()[PLACE] == 0
    again.receive(chunk(0, [0, 2]))
    assert again.next_entry(WALL_US) is None
