"""A rate plan holds events back, never more than it says and never for good."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.app.streamer.rate_plan import Rate, RateStep, read_plan
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

BEGAN_US = 1_000_000
STEPS = st.lists(
    st.builds(RateStep, target_eps=st.floats(1, 5_000), burst_seconds=st.floats(0.01, 2), initial_tokens=st.floats(0, 50)),
    min_size=1,
    max_size=3,
)


@given(steps=STEPS, naps=st.lists(st.integers(0, 500_000), min_size=1, max_size=30), wanted=st.integers(1, 500))
def test_in_any_stretch_of_a_step_no_more_goes_than_its_rate_and_one_burst(steps: list[RateStep], naps: list[int], wanted: int) -> None:
    plan = [step.model_copy(update={"start_offset_seconds": float(3 * at)}) for at, step in enumerate(steps)]
    rate, now_us, sent = Rate(plan, BEGAN_US), BEGAN_US, []
    for nap in naps:
        now_us += nap
        granted = rate.grant(now_us, wanted)
        assert 0 <= granted <= wanted
        rate.spend(granted)
        sent.append((now_us, granted))
    for at, step in enumerate(plan):
        starts, ends = BEGAN_US + 3_000_000 * at, BEGAN_US + 3_000_000 * (at + 1) if at + 1 < len(plan) else now_us + 1
        inside = [(ts, count) for ts, count in sent if starts <= ts < ends]
        for first in range(len(inside)):
            elapsed_s = (inside[-1][0] - inside[first][0]) / 1e6
            burst = max(1.0, step.target_eps * step.burst_seconds)
            assert sum(count for _, count in inside[first:]) <= step.target_eps * elapsed_s + burst + 1e-6


@given(steps=STEPS, at=st.integers(0, 10_000_000))
def test_after_the_wait_that_is_told_an_event_may_go(steps: list[RateStep], at: int) -> None:
    rate = Rate(steps[:1], BEGAN_US)
    rate.spend(rate.grant(BEGAN_US + at, 10_000))
    wait_us = rate.wait_us(BEGAN_US + at)
    assert wait_us > 0 or rate.grant(BEGAN_US + at, 1) == 1
    assert rate.grant(BEGAN_US + at + wait_us, 1) == 1


def test_the_plan_changes_the_rate_at_its_times_and_zero_is_no_limit() -> None:
    plan = read_plan(
        json.dumps([{"target_eps": 100}, {"start_offset_seconds": 10, "target_eps": 1_000}, {"start_offset_seconds": 20, "target_eps": 0}])
    )
    rate, sent = Rate(plan, BEGAN_US), []
    for tick in range(20_00):
        now_us = BEGAN_US + tick * 10_000
        granted = rate.grant(now_us, 1_000)
        rate.spend(granted)
        sent.append(granted)
    assert 980 <= sum(sent[:1_000]) <= 1_001
    assert 9_900 <= sum(sent[1_000:2_000]) <= 10_026
    assert rate.grant(BEGAN_US + 20_000_000, 12_345) == 12_345
    assert rate.wait_us(BEGAN_US + 20_000_000) == 0


def test_without_a_plan_everything_may_go() -> None:
    rate = Rate((), BEGAN_US)
    assert (rate.grant(BEGAN_US, 7), rate.wait_us(BEGAN_US)) == (7, 0)


def test_lanes_share_the_rate_of_the_run() -> None:
    plan = read_plan('[{"target_eps": 900}]', lanes=3)
    assert [step.target_eps for step in plan] == [300.0]
    assert [(step.burst_seconds, step.initial_tokens) for step in plan] == [(0.25, 0.25)]


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "7", "[7]", '[{"target_eps": -1}]', '[{"target_eps": "fast"}]', '[{"target_eps": NaN}]', '[{"eps": 1}]'),
        *('[{"target_eps": 1, "burst_seconds": 0}]', '[{"start_offset_seconds": 5, "target_eps": 1}]', "[" * 100_000),
        '[{"target_eps": 1}, {"start_offset_seconds": 0, "target_eps": 2}]',
        '[{"target_eps": 1}, {"start_offset_seconds": 9, "target_eps": 2}, {"start_offset_seconds": 4, "target_eps": 2}]',
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused(text: str) -> None:
    with pytest.raises(Stop) as refused:
        read_plan(text)
    assert refused.value.reason is Reason.RATE_PLAN_INVALID


def test_a_bucket_that_rested_gives_one_burst_and_not_all_that_was_missed() -> None:
    rate = Rate([RateStep(target_eps=100, burst_seconds=0.5)], BEGAN_US)
    given_ = [rate.grant(BEGAN_US + at * 60_000_000, 10_000) for at in range(3)]
    assert given_ == [0, 50, 50]
    assert [later - earlier for earlier, later in pairwise(given_)] == [50, 0]
