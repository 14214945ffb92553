"""The age of a batch: never more than it can be, and counting on whatever the clock of the database does."""

from __future__ import annotations

import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.gate.batch_ages import BatchAges


@pytest.mark.parametrize(
    ("first", "told_s", "age_s"),
    [
        pytest.param(True, 100.0, 100.0, id="a resolver that begins believes the database"),
        pytest.param(True, -3_600.0, 0.0, id="no batch is begun in the future"),
        pytest.param(False, 0.5, 0.5, id="begun between two looks"),
        pytest.param(False, 3_600.5, 0.0, id="the clock jumped ahead"),
        pytest.param(False, -3_599.5, 0.0, id="the clock jumped back"),
    ],
)
def test_an_age_is_what_it_can_be(first: bool, told_s: float, age_s: float) -> None:
    ages = BatchAges()
    if not first:
        ages.look(49.0)
        ages.of({})
    ages.look(50.0)
    assert ages.of({7: told_s}) == {7: age_s}
    assert ages.of({7: told_s + 9.0}) == {7: age_s}, "one look, one age"
    ages.look(53.0)
    assert ages.of({7: -1e6}) == {7: age_s + 3.0}
    ages.look(54.0)
    ages.look(55.0)
    assert ages.of({7: 0.25}) == {7: 0.25}, "what a look did not see is forgotten"


LOOKS = st.lists(st.tuples(st.floats(0.01, 5.0), st.floats(-1e5, 1e5)), min_size=1, max_size=30)


@settings(max_examples=drawn(200))
@given(looks=LOOKS, begun_s=st.floats(0.0, 20.0))
def test_with_a_clock_that_jumps_an_age_is_off_by_less_than_the_pause_between_two_looks(
    looks: list[tuple[float, float]], begun_s: float
) -> None:
    """Each look is some pause after the one before, with the clock of the database off by some seconds."""
    ages, now_s, pauses_s = BatchAges(), 0.0, 0.0
    ages.look(now_s)
    for pause_s, off_s in looks:
        now_s += pause_s
        ages.look(now_s)
        if now_s < begun_s:
            continue
        pauses_s = pauses_s or pause_s
        (age_s,) = ages.of({1: now_s - begun_s + off_s}).values()
        assert age_s == pytest.approx(now_s - begun_s, abs=pauses_s + 1e-9)
