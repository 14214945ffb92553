"""The audit lane's position: nothing on the topic holds it back for ever."""

from __future__ import annotations

import numpy as np
import pytest
from machines import audit_machine
from records import OTHER_PINS, RTDL, chunk, decision, outcome

from assay.agents import audit as audit_module
from assay.agents.audit import AuditMachine
from assay.agents.step import Chunk
from assay.codecs.audit_segment import read_segment
from assay.codecs.columns import Strings

WALL_US = 1_800_000_000_000_000
LATER_US = WALL_US + 1_000_000


def machine() -> AuditMachine:
    """An audit lane of one partition."""
    return audit_machine()


def drain(lane: AuditMachine) -> list[bytes]:
    """Segments of everything that is ready, folded."""
    segments: list[bytes] = []
    while (entry := lane.next_entry(WALL_US) or lane.next_entry(LATER_US)) is not None:
        lane.apply(entry.value)
        segments.append(entry.value)
    return segments


def records(segments: list[bytes]) -> int:
    """How many audit records these segments hold."""
    return sum(len(read_segment(segment).values.lengths) for segment in segments)


def test_no_outcome_is_waited_for_where_the_action_lane_sets_the_decision_aside() -> None:
    """Else the position would stand before it for ever, and every restart would read the topic again from there."""
    lane, torn = machine(), decision("aaaa").replace(b"aaaa", b"aa\xff\xfe")
    lane.receive(chunk(RTDL, [decision("other", pins=OTHER_PINS), torn, decision("b"), outcome("b")]))
    segments = drain(lane)
    assert records(segments) == 1
    assert lane.finished()
    assert lane.position() == {(RTDL, 0): 4}


def test_the_position_moves_past_repeats_with_nothing_behind_them() -> None:
    """What a crash makes the other lanes emit again may be the last thing on the topic."""
    lane = machine()
    lane.receive(chunk(RTDL, [decision("a"), outcome("a")]))
    first = drain(lane)
    lane.receive(chunk(RTDL, [decision("a"), outcome("a")], 2))
    repeats = drain(lane)
    assert records(repeats) == 0
    assert lane.position() == {(RTDL, 0): 4}
    again = machine()
    for segment in first + repeats:
        again.recover(segment)
    assert again.position() == {(RTDL, 0): 4}
    assert records(drain(again)) == 0


def test_nothing_more_is_fetched_while_pairs_of_several_segments_wait_and_it_is_again_once_they_are_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit_module, "RECORDS_MAX", 2)
    monkeypatch.setattr(audit_module, "READY_MAX", 6)
    lane, wanted = machine(), list[bool]()
    for n in range(6):
        wanted.append(lane.wants((RTDL, 0)))
        lane.receive(chunk(RTDL, [decision(f"e{n}"), outcome(f"e{n}")], 2 * n))
    assert wanted == [True] * 6
    assert not lane.wants((RTDL, 0))
    for written in range(3):
        entry = lane.next_entry(WALL_US)
        assert entry is not None
        assert (entry.rows, lane.wants((RTDL, 0))) == (2, True), written
    assert lane.next_entry(WALL_US) is None


def test_a_lane_at_its_start_wants_thousands_of_pairs() -> None:
    assert audit_module.READY_MAX > audit_module.RECORDS_MAX > 1_000


def test_the_position_moves_past_offsets_without_a_record_and_covers_each_once() -> None:
    """The first decision waits for its outcome while the lane starts again: reading begins before what is in a segment."""
    fetched = Chunk(RTDL, 0, np.array([1, 3, 5], np.int64), Strings.of([decision("b"), decision("a"), outcome("a")]), begins=0)
    lane = machine()
    lane.receive(fetched)
    segments = drain(lane)
    assert lane.position() == {(RTDL, 0): 1}
    again = machine()
    for segment in segments:
        again.recover(segment)
    again.unemitted()
    again.receive(fetched)
    again.receive(Chunk(RTDL, 0, np.array([7], np.int64), Strings.of([outcome("b")]), begins=6))
    segments += drain(again)
    assert records(segments) == 2
    assert again.position() == {(RTDL, 0): 8}
    ranges = [(first, last) for segment in segments for _, _, first, last in read_segment(segment).header["ranges"]]
    assert sorted(offset for first, last in ranges for offset in range(first, last + 1)) == list(range(8))
