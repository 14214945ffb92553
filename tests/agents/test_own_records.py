"""A lane folds the records that it made without reading them again, and nothing shows the difference."""

from __future__ import annotations

from typing import Any

import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import wired
from records import OTHER_PINS, T0_US, TRAFFIC, chunk, label, payment
from simulated_worlds import config
from states import written

from assay.agents.lane import LaneMachine
from assay.agents.own_records import KEPT, OwnRecords
from assay.agents.step import LaneOutput
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.journal_record import BATCH, JournalRecord

WALL_US = 1_800_000_000_000_000
#: rows, rows without an id of an entity, records that are refused, and tombstones
VALUES = [
    *(payment(f"p{n}", T0_US + n) for n in range(6)),
    payment("alone", T0_US + 5, entities={}),
    payment("foreign", T0_US, pins=OTHER_PINS),
    payment("cut", T0_US)[:-1],
    label("label", T0_US, "p1", T0_US),
    b"nonsense",
    None,
]
CHUNKS = st.lists(st.lists(st.sampled_from(VALUES), min_size=1, max_size=9), min_size=1, max_size=5)


def lane() -> LaneMachine:
    """A lane that has claimed its journal."""
    given = config().model_copy(update={"ordering": "arrival"})
    one = fold_machine_of(TOPOLOGY.lane("rtdl"), given, partition_counts(1), code=b"\1" * 32)
    one.unemitted()
    one.apply(one.claim_entry(WALL_US).value)
    return one


def record(sequence: int) -> tuple[bytes, JournalRecord]:
    """A record and its bytes."""
    made = JournalRecord(0, 0, sequence, BATCH, 0, -1, bytes(32), bytes(32))
    return made.to_bytes(), made


def told(output: LaneOutput) -> list[Any]:
    """Everything that is emitted."""
    return [(e.handle, e.partitions.tolist(), e.keys.tolist(), e.values.tolist()) for e in output.emissions]


@settings(max_examples=drawn(40), deadline=None)
@given(CHUNKS, st.integers(1, 7))
def test_a_record_made_here_folds_as_its_bytes_do(chunks: list[list[bytes | None]], rows_max: int) -> None:
    one, other, at = lane(), lane(), 0
    for values in chunks:
        for each in (one, other):
            each._rows_max = rows_max
            each.receive(chunk(TRAFFIC, values, at))
        at += len(values)
        while (entry := one.next_entry(WALL_US)) is not None:
            again = other.next_entry(WALL_US)
            assert again is not None and again.value == entry.value
            assert JournalRecord.from_bytes(entry.value).to_bytes() == entry.value
            assert told(one.apply(entry.value)) == told(other.apply(bytes(bytearray(entry.value))))
    assert [written(w.step) for w in wired(one)] == [written(w.step) for w in wired(other)]
    assert one.applied.as_json() == other.applied.as_json()


def test_a_record_is_given_for_the_very_object_that_was_made_of_it_and_once() -> None:
    own, (value, made) = OwnRecords(), record(3)
    own.keep(value, made)
    assert own.of(value) is made
    assert own.of(value) is None


def test_equal_bytes_of_another_object_are_read() -> None:
    own, (value, made) = OwnRecords(), record(3)
    own.keep(value, made)
    assert own.of(bytes(bytearray(value))) is None


def test_records_made_before_the_folded_one_are_dropped_and_later_ones_are_kept() -> None:
    own, made = OwnRecords(), [record(n) for n in range(3)]
    for each in made:
        own.keep(*each)
    assert own.of(made[1][0]) is made[1][1]
    assert own.of(made[2][0]) is made[2][1]
    assert own.of(made[0][0]) is None


def test_records_that_are_never_folded_do_not_add_up() -> None:
    own, made = OwnRecords(), [record(n) for n in range(KEPT + 5)]
    for each in made:
        own.keep(*each)
    assert len(own._kept) == KEPT
    assert own.of(made[-1][0]) is made[-1][1]


@pytest.mark.parametrize("restored", [False, True])
def test_a_restored_lane_keeps_no_record(restored: bool) -> None:
    one = lane()
    one.receive(chunk(TRAFFIC, [payment("a", T0_US)]))
    assert one.next_entry(WALL_US) is not None
    if restored:
        one.restore(one.state())
    assert bool(one._own._kept) is not restored
