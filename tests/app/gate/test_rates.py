"""How fast one actor may send: a table of calls at times, and the rate as a law."""

from __future__ import annotations

import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.gate.rates import ACTORS_MAX, Bucket, Limit, RateLimited, Rates, limit_of, taken
from assay.contracts.reasons import Reason

TEN = Limit(10.0, 20.0)


@pytest.mark.parametrize(
    ("bucket", "items", "now_s", "left", "wait_s"),
    [
        (None, 20, 0.0, 0.0, 0.0),
        (None, 0, 0.0, 20.0, 0.0),
        (Bucket(20.0, 0.0), 1, 0.0, 19.0, 0.0),
        (Bucket(0.0, 0.0), 0, 0.0, 0.0, 0.0),  # of nothing there is always enough
        (Bucket(0.0, 0.0), 1, 0.0, 0.0, 0.1),
        (Bucket(0.0, 0.0), 1, 0.1, 0.0, 0.0),
        (Bucket(0.0, 0.0), 10, 0.5, 5.0, 0.5),
        (Bucket(0.0, 0.0), 5, 100.0, 15.0, 0.0),  # a long rest fills the bucket and no more
        (None, 50, 0.0, -30.0, 0.0),  # more than the burst at once is taken from a full bucket only
        (Bucket(19.0, 0.0), 50, 0.0, 19.0, 0.1),
        (Bucket(-30.0, 0.0), 1, 0.0, -30.0, 3.1),  # and the debt is paid by time
        (Bucket(-30.0, 0.0), 1, 3.1, 0.0, 0.0),
        (Bucket(5.0, 100.0), 6, 90.0, 5.0, 0.1),  # a clock that goes back brings nothing
    ],
)
def test_a_call_is_taken_or_has_to_wait(bucket: Bucket | None, items: int, now_s: float, left: float, wait_s: float) -> None:
    after, wait = taken(bucket, items, now_s, TEN)
    assert [after.items, wait, after.at_s] == pytest.approx([left, wait_s, now_s])


@settings(max_examples=drawn(300))
@given(calls=st.lists(st.tuples(st.integers(1, 100), st.floats(0.0, 5.0)), max_size=60))
def test_no_more_is_taken_than_burst_and_rate_allow_and_one_call_beyond(calls: list[tuple[int, float]]) -> None:
    bucket, now_s, items_taken = None, 0.0, 0
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
