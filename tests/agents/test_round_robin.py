"""Turns: everyone once per interval, never all at once, and the same after a restart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.agents.round_robin import RoundRobin

INTERVAL_US = 1_000_000


@given(st.integers(1, 7), st.lists(st.integers(0, 300_000), max_size=60), st.integers(0, 60))
def test_everyone_has_a_turn_once_per_interval(count: int, steps_us: list[int], restart: int) -> None:
    turns, wall_us = RoundRobin(count, INTERVAL_US), 10**15
    assert turns.due(wall_us) == list(range(count)), "nobody had a turn before"
    last_us = dict.fromkeys(range(count), wall_us)
    for number, step_us in enumerate(steps_us):
        if number == restart:
            state, turns = turns.as_json(), RoundRobin(count, INTERVAL_US)
            turns.restore(state)
        wall_us += step_us
        due = turns.due(wall_us)
        assert list(due) == sorted(set(due))
        if step_us < INTERVAL_US // count:
            assert len(due) <= 2
        last_us |= dict.fromkeys(due, wall_us)
        assert all(wall_us - at < INTERVAL_US + max(steps_us) for at in last_us.values())


def test_the_turns_come_one_after_another_and_all_at_once_after_a_pause() -> None:
    turns = RoundRobin(3, INTERVAL_US)
    turns.due(10**15)
    third_us = INTERVAL_US // 3 + 1
    assert [list(turns.due(10**15 + n * third_us)) for n in range(1, 6)] == [[0], [1], [2], [0], [1]]
    assert turns.due(10**15 + 3 * INTERVAL_US) == [0, 1, 2]


def test_a_clock_that_is_set_back_gives_everyone_a_turn() -> None:
    turns = RoundRobin(3, INTERVAL_US)
    turns.due(10**15)
    assert turns.due(10**15 + 1) == []
    assert turns.due(10**14) == [0, 1, 2]
    assert turns.due(10**14 + INTERVAL_US // 3 + 1) == [0]
