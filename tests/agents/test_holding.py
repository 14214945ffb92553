"""Rows that a step holds: released by a record, a watermark, a tick or the bound, in an order that no batch, crash or delay changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from await_context import CODE, WAIT_US, WALL_US, awaiting, decided, fact, lane, pay, step_of, watermarks
from records import CONTEXT, TRAFFIC, chunk
from simulated_worlds import config

from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.journal_record import BATCH, TICK, JournalRecord
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

# -- arrival: a record or wall time releases


def test_a_payment_goes_on_right_behind_the_fact_that_it_waited_for() -> None:
    one = lane("arrival")
    one.receive(chunk(TRAFFIC, [pay("a", 1, "c1"), pay("b", 2, "c2"), pay("c", 3, "c1")]))
    assert decided(one, one.next_entry(WALL_US)) == []
    one.receive(chunk(CONTEXT, [fact("f", 4, "c1")]))
    one.receive(chunk(TRAFFIC, [pay("d", 5, "c1")], 3))
    assert decided(one, one.next_entry(WALL_US)) == [("a", 1), ("c", 3), ("d", 5)], "each with its own event time"


def test_a_tick_releases_a_payment_whose_time_has_come_and_is_written_once() -> None:
    one = lane("arrival")
    one.receive(chunk(TRAFFIC, [pay("a", 1, "c1"), pay("b", 2, "c2")]))
    assert decided(one, one.next_entry(WALL_US)) == []
    one.emitted(1)
    before = one.next_entry(WALL_US + WAIT_US - 1)
    assert before is None or JournalRecord.from_bytes(before.value).kind == BATCH, "too early for a tick"
    if before is not None:
        one.apply(before.value)
    tick = one.next_entry(WALL_US + WAIT_US)
    assert tick is not None
    assert JournalRecord.from_bytes(tick.value).kind == TICK
    assert one.next_entry(WALL_US + WAIT_US) is None, "the tick under way is enough"
    assert decided(one, tick) == [("a", 1), ("b", 2)]
    assert step_of(one).release_us() is None
    one.emitted(tick.sequence)
    later = one.next_entry(WALL_US + 3 * WAIT_US)
    assert later is None or JournalRecord.from_bytes(later.value).kind == BATCH, "nothing is held, so no tick"


def test_a_batch_at_or_after_the_time_releases_before_its_own_rows() -> None:
    one = lane("arrival")
    one.receive(chunk(TRAFFIC, [pay("a", 1, "c1")]))
    assert decided(one, one.next_entry(WALL_US)) == []
    one.receive(chunk(CONTEXT, [fact("f", 4, "c2")]))
    one.receive(chunk(TRAFFIC, [pay("b", 5, "c2")], 1))
    assert decided(one, one.next_entry(WALL_US + WAIT_US)) == [("a", 1), ("b", 5)]


def test_a_lane_that_holds_nothing_writes_no_tick() -> None:
    one = lane("arrival")
    assert one.next_entry(WALL_US + 10 * WAIT_US) is None


# -- event time: only watermarks release


def test_under_event_time_no_wall_clock_releases_a_row_and_a_watermark_does() -> None:
    one, offsets = lane(), dict[str, int]()
    one.receive(chunk(TRAFFIC, [pay("a", 1, "c1")]))
    offsets[TRAFFIC] = 1
    watermarks(one, 2, offsets)
    assert decided(one, one.next_entry(WALL_US)) == []
    assert step_of(one).release_us() is None
    one.emitted(1)
    note = one.next_entry(WALL_US + 100 * WAIT_US)
    assert decided(one, note) == [], "the note of an idle lane has wall time, and releases nothing"
    for at_s, expected in ((59, []), (60, [("a", 1)])):
        watermarks(one, at_s, offsets)
        one.receive(chunk(CONTEXT, [fact(f"f{at_s}", at_s, "c9")], offsets[CONTEXT]))
        offsets[CONTEXT] += 1
        watermarks(one, at_s + 1, offsets)
        assert decided(one, one.next_entry(WALL_US)) == expected


def test_the_end_of_time_releases_everything() -> None:
    one, offsets = lane(), dict[str, int]()
    one.receive(chunk(TRAFFIC, [pay("a", 1, "c1"), pay("b", 2, "c2")]))
    offsets[TRAFFIC] = 2
    watermarks(one, 3, offsets)
    assert decided(one, one.next_entry(WALL_US)) == []
    watermarks(one, 3, offsets, final=True)
    assert decided(one, one.next_entry(WALL_US)) == [("a", 1), ("b", 2)]


# -- the bound


def test_the_row_held_first_goes_on_when_the_bound_is_passed_and_the_bytes_stay_below_it() -> None:
    one = lane("arrival", bytes_max=400)
    one.receive(chunk(TRAFFIC, [pay(f"p{number}", number, f"c{number}") for number in range(20)]))
    gone = decided(one, one.next_entry(WALL_US))
    held = step_of(one)._held
    assert 0 < held.bytes <= 400
    assert [event for event, _ in gone] == [f"p{number}" for number in range(20 - len(held))]


# -- declarations


def test_a_step_that_holds_rows_without_a_declaration_stops_the_lane() -> None:
    spec = awaiting()
    undeclared = replace(spec, steps=tuple(replace(step, holds=False, punctuated=True) for step in spec.steps))
    one = fold_machine_of(undeclared, config().model_copy(update={"ordering": "arrival"}), partition_counts(1), code=CODE)
    one.unemitted()
    one.apply(one.claim_entry(WALL_US).value)
    one.receive(chunk(TRAFFIC, [pay("a", 1, "c1")]))
    entry = one.next_entry(WALL_US)
    assert entry is not None
    with pytest.raises(Stop, match="step await_context holds or releases rows") as stopped:
        one.apply(entry.value)
    assert stopped.value.reason is Reason.HOLDING_UNDECLARED
