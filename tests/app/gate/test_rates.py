"""How fast one actor may send: a table of calls at times, and the rate as a law."""

from __future__ import annotations

import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.gate.rates import ACTORS_MAX, FULL, Limit, RateLimited, Rates, limit_of, taken
from assay.contracts.reasons import Reason

TEN = Limit(10.0, 20.0)


@pytest.mark.parametrize(
    ("full_s", "items", "now_s", "full_then_s", "wait_s"),
    [
        (FULL, 20, 0.0, 2.0, 0.0),
        (FULL, 0, 0.0, 0.0, 0.0),
        (0.0, 1, 0.0, 0.1, 0.0),
        (2.0, 0, 0.0, 2.0, 0.0),  # of nothing there is always enough
        (2.0, 1, 0.0, 2.0, 0.1),
        (2.0, 1, 0.1, 2.1, 0.0),
        (2.0, 10, 0.5, 2.0, 0.5),
        (2.0, 5, 100.0, 100.5, 0.0),  # a long rest fills the bucket and no more
        (FULL, 50, 0.0, 5.0, 0.0),  # more than the burst at once is taken from a full bucket only
        (0.1, 50, 0.0, 0.1, 0.1),
        (5.0, 1, 0.0, 5.0, 3.1),  # and the debt is paid by time
        (5.0, 1, 3.1, 5.1, 0.0),
        (1e6 + 2.0 - 1e-10, 1, 1e6 + 0.1 - 2e-10, 1e6 + 2.1, 0.0),  # what rounding took is no reason to wait
        (101.5, 6, 90.0, 101.5, 10.1),  # a clock that goes back brings nothing
    ],
)
def test_a_call_is_taken_or_has_to_wait(full_s: float, items: int, now_s: float, full_then_s: float, wait_s: float) -> None:
    assert taken(full_s, items, now_s, TEN) == pytest.approx((full_then_s, wait_s))


def test_a_bucket_that_is_taken_in_parts_is_taken_to_the_last_item() -> None:
    """Late in the life of a machine, when a time has few digits left."""
    rates = Rates(Limit(7.0, 20.0))
    for _ in range(20):
        rates.take("a", 1, 31_536_000.1)
    with pytest.raises(RateLimited):
        rates.take("a", 1, 31_536_000.1)


@settings(max_examples=drawn(300))
@given(calls=st.lists(st.tuples(st.integers(1, 100), st.floats(0.0, 5.0)), max_size=60))
def test_no_more_is_taken_than_burst_and_rate_allow_and_one_call_beyond(calls: list[tuple[int, float]]) -> None:
    bucket, now_s, items_taken = FULL, 0.0, 0
    for items, pause_s in calls:
        now_s += pause_s
        bucket, wait_s = taken(bucket, items, now_s, TEN)
        items_taken += 0 if wait_s else items
        assert items_taken <= TEN.burst + TEN.per_s * now_s + 100 + 1e-6
        if wait_s:
            assert taken(bucket, items, now_s + wait_s + 1e-9, TEN)[1] == pytest.approx(0.0, abs=1e-6), "the wait is long enough"


@pytest.mark.parametrize(
    ("per_s", "burst", "limit"), [(0.0, 5, None), (10.0, 0, Limit(10.0, 100.0)), (0.01, 0, Limit(0.01, 1.0)), (10.0, 3, Limit(10.0, 3.0))]
)
def test_a_limit_is_what_the_settings_say(per_s: float, burst: int, limit: Limit | None) -> None:
    assert limit_of(per_s, burst) == limit


def test_actors_do_not_share_and_a_refusal_says_when() -> None:
    rates = Rates(TEN)
    rates.take("a", 20, 0.0)
    with pytest.raises(RateLimited) as refused:
        rates.take("a", 15, 0.0)
    assert (refused.value.reason, refused.value.after_s) == (Reason.RATE_LIMITED, 2)
    assert "in 2 s" in str(refused.value)
    rates.take("b", 20, 0.0)
    rates.take("a", 15, 2.0)


def test_without_a_limit_nothing_is_refused_and_remembered_actors_are_bounded() -> None:
    Rates().take("a", 10**9, 0.0)
    rates = Rates(TEN)
    for number in range(ACTORS_MAX + 1):
        rates.take(f"a{number}", 20, 0.0)
    rates.take("a0", 20, 0.0)  # the first was forgotten, and has a full bucket
    with pytest.raises(RateLimited):
        rates.take(f"a{ACTORS_MAX}", 1, 0.0)
