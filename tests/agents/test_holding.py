"""Rows that a step holds: released by a record, a watermark, a tick or the bound, in an order that no batch, crash or delay changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from await_context import CODE, S_US, WAIT_US, WALL_US, awaiting, decided, fact, lane, pay, step_of, watermarks
from records import CONTEXT, DAY_US, INPUTS, LABELS, T0_US, TRAFFIC, chunk, label, mark, payment
from simulated_worlds import config

from assay.agents.lane import LaneMachine
from assay.agents.merge import END_OF_TIME
from assay.agents.step import Emission
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.journal_record import BATCH, TICK, JournalRecord
from assay.codecs.single_object import unpack
from assay.contracts.errors import Stop
from assay.contracts.handles import QUARANTINE
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
    one = lane("arrival", bytes_max=3_000)
    one.receive(chunk(TRAFFIC, [pay(f"p{number}", number, f"c{number}") for number in range(20)]))
    gone = decided(one, one.next_entry(WALL_US))
    held = step_of(one)._held
    assert 0 < held.bytes <= 3_000
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


@pytest.mark.parametrize(("wait_us", "bytes_max"), [(0, 1), (-1, 1), (1, 0)])
def test_a_wait_or_a_bound_that_is_not_positive_is_refused(wait_us: int, bytes_max: int) -> None:
    with pytest.raises(Stop) as refused:
        fold_machine_of(awaiting(wait_us, bytes_max), config(), partition_counts(1))
    assert refused.value.reason is Reason.SETTING_INVALID


# -- no cut into journal records changes the order


@pytest.mark.parametrize("rows_max", [1, 2, 5_000])
def test_a_payment_that_waits_for_nothing_passes_time_for_those_that_wait(rows_max: int) -> None:
    """Payment a is due at 60 s, where n stands: it goes on before n, whichever journal record n is in."""
    one = fold_machine_of(awaiting(), config(), partition_counts(1), rows_max, CODE)
    one.unemitted()
    one.apply(one.claim_entry(WALL_US).value)
    values = [pay("a", 0, "c1"), neutral("n", 60), pay("b", 61, "c2"), neutral("z", 200), mark(TRAFFIC, 0, T0_US, final=True)]
    for handle in INPUTS:
        one.receive(chunk(handle, values if handle == TRAFFIC else [mark(handle, 0, T0_US, final=True)]))
    found = []
    while (entry := one.next_entry(WALL_US)) is not None:
        found += decided(one, entry)
        one.emitted(entry.sequence)
    assert [event for event, _ in found] == ["a", "n", "b", "z"]


def neutral(event_id: str, at_s: int) -> bytes:
    """A payment without a customer: it waits for nothing."""
    return payment(event_id, T0_US + at_s * S_US, entities={"terminal": "t"})


def test_a_row_held_near_the_end_of_time_is_released_there() -> None:
    one, offsets = lane(), dict[str, int]()
    one.receive(chunk(TRAFFIC, [payment("a", END_OF_TIME - 10, entities={"customer": "c1", "terminal": "t"})]))
    offsets[TRAFFIC] = 1
    watermarks(one, 3, offsets, final=True)
    entry = one.next_entry(WALL_US)
    assert [event for event, _ in decided(one, entry)] == ["a"]
    assert one.state()


# -- labels of payments that were held


def test_a_label_counts_for_a_payment_that_was_held_and_taken_up_after_others() -> None:
    """Payment n takes the terminal's slot while p waits; p goes on; the label of p counts as if p had never waited."""
    for order in ("pnf", "fpn"):
        one = lane("arrival")
        made = {"p": (TRAFFIC, pay("p", 0, "c1")), "n": (TRAFFIC, neutral("n", 1)), "f": (CONTEXT, fact("f", 2, "c1"))}
        labelled = label("l", T0_US + 7 * DAY_US, "p", T0_US)
        later = payment("q", T0_US + 8 * DAY_US, entities={"customer": "c1", "terminal": "t"})
        fold_one_by_one(one, [*(made[name] for name in order), (LABELS, labelled), (TRAFFIC, later)])
        assert fraud_of(one, "terminal:t") == 1, order


@pytest.mark.parametrize("together", [True, False])
def test_a_label_of_a_payment_that_still_waits_waits_for_it_whatever_record_it_is_in(together: bool) -> None:
    one = lane("arrival")
    later = payment("q", T0_US + 8 * DAY_US, entities={"customer": "c1", "terminal": "t"})
    records = [(TRAFFIC, [pay("p", 0, "c1"), later]), (LABELS, [label("l", T0_US + S_US, "p", T0_US)]), (CONTEXT, [fact("f", 2, "c1")])]
    letters = []
    for handle, values in records:
        one.receive(chunk(handle, values))
        if not together:
            letters += dead(one.apply(entry_of(one)).emissions)
    if together:
        letters += dead(one.apply(entry_of(one)).emissions)
    assert letters == []
    assert fraud_of(one, "terminal:t") == 1


def fold_one_by_one(one: LaneMachine, records: Sequence[tuple[str, bytes]]) -> list[str]:
    """Each record in a journal record of its own; the reasons of dead letters."""
    next_offset, letters = Counter[str](), list[str]()
    for handle, value in records:
        one.receive(chunk(handle, [value], next_offset[handle]))
        next_offset[handle] += 1
        letters += dead(one.apply(entry_of(one)).emissions)
    return letters


def entry_of(one: LaneMachine) -> bytes:
    entry = one.next_entry(WALL_US)
    assert entry is not None
    return entry.value


def dead(emissions: Sequence[Emission]) -> list[str]:
    """The reasons of dead letters."""
    values = [value or b"" for emission in emissions if emission.handle == QUARANTINE for value in emission.values.tolist()]
    return [unpack(value)[1]["reason"] for value in values]


def fraud_of(one: LaneMachine, key: str) -> int:
    """Frauds in the widest window of a key."""
    row = one.table("features").row(key)
    return max((window.get("fraud_count", 0) for window in row["windows"].values()), default=0) if row else 0
