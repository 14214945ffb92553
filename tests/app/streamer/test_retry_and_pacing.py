"""Retry and pacing are arithmetic on times that come in as arguments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.app.streamer.pacing import END_OF_TIME, StreamPace
from assay.app.streamer.retry import RetryPolicy, is_transient


@pytest.mark.parametrize(("attempt", "delay_ms"), [(1, 250), (2, 500), (3, 1_000), (4, 2_000), (5, 4_000), (6, 5_000), (1_000, 5_000)])
def test_delays_double_up_to_the_cap(attempt: int, delay_ms: int) -> None:
    assert RetryPolicy().delay_ms(attempt, 0.0) == delay_ms


@given(attempt=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_jitter_adds_at_most_the_delay_itself(attempt: int, chance: float) -> None:
    plain = RetryPolicy().delay_ms(attempt, 0.0)
    assert plain <= RetryPolicy().delay_ms(attempt, chance) <= 2 * plain


@pytest.mark.parametrize(
    ("attempt", "elapsed_s", "again"), [(1, 0.0, True), (4, 999.0, True), (5, 119.0, True), (5, 120.0, False), (500, 60.0, True)]
)
def test_at_least_five_tries_and_a_budget_of_time(attempt: int, elapsed_s: float, *, again: bool) -> None:
    assert RetryPolicy().may_try_again(attempt, elapsed_s) is again


@pytest.mark.parametrize(
    ("status", "transient"), [(200, False), (400, False), (401, False), (408, True), (413, False), (429, True), (500, True), (503, True)]
)
def test_which_answers_are_worth_another_try(status: int, *, transient: bool) -> None:
    assert is_transient(status) is transient


@given(
    start_us=st.integers(0, 2**50),
    wall_us=st.integers(0, 2**50),
    speedup=st.floats(0.01, 1e9),
    ahead_us=st.integers(0, 10**12),
    late_us=st.integers(0, 10**9),
)
def test_a_row_is_due_exactly_when_its_wait_is_over(start_us: int, wall_us: int, speedup: float, ahead_us: int, late_us: int) -> None:
    pace = StreamPace(start_us, wall_us, speedup)
    ts_us, now_us = start_us + ahead_us, wall_us + late_us
    wait_us = pace.wait_us(ts_us, now_us)
    assert (wait_us == 0) == (ts_us <= pace.due_us(now_us))
    assert wait_us >= 0


def test_without_pacing_everything_is_due() -> None:
    assert StreamPace(0, 0, 0.0).due_us(5) == END_OF_TIME
    assert StreamPace(0, 0, 0.0).wait_us(10**15, 0) == 0
