"""Moments against exact arithmetic over the whole range of amounts and counts: how near each is, and zero only where zero is exact."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from effort import drawn
from feature_worlds import SECOND, assertion, pay
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lane_tables import LaneTables, fold_in_batches, values_of
from plain_python import printed

from assay.contracts.limits import AMOUNT_MINOR_END
from assay.tables.entity_windows import LIMB_BITS, SUM_MAX
from assay.tables.feature_plan import COUNT, SUM, compile_plan
from assay.tables.moments import _nearest, zscore

#: units in the last place that a z-score may be away from its exact value
Z_ULPS = 4
#: amounts of every size, and such that differ by little from one another
AMOUNTS = st.integers(0, 36).flatmap(lambda bits: st.integers(0, min(2 ** (bits + 1), AMOUNT_MINOR_END) - 1))
SIZES = st.integers(0, 62).flatmap(lambda bits: st.integers(1, 2 ** (bits + 1) - 1))
History = list[tuple[int, int]]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Amounts with how often each was paid, as many as a window can hold; no payment at all among them."""
    base, room, found = draw(AMOUNTS), (SUM_MAX, (SUM_MAX << LIMB_BITS) - 1), list[tuple[int, int]]()
    near = st.integers(-3, 3).map(lambda step: min(max(base + step, 0), AMOUNT_MINOR_END - 1))
    for _ in range(draw(st.integers(0, 4))):
        amount = draw(near | AMOUNTS)
        most = min(room[0] // max(amount, 1), room[1] // max(amount * amount, 1), 2**62 // 4)
        if most < 1:
            break
        times = min(draw(SIZES), most)
        room = room[0] - amount * times, room[1] - amount * amount * times
        found.append((amount, times))
    return found


def exact(history: History, amount: int) -> tuple[int, int]:
    """Numerator and the square of the denominator of a z-score; (0, 1) where it is defined as zero."""
    count, total, squares = (sum(times * held**power for held, times in history) for power in range(3))
    spread = count * squares - total * total
    return (count * amount - total, spread) if spread else (0, 1)


def within(value: float, numerator: int, square: int, ulps: int) -> bool:
    """Whether a value is so many units in the last place from numerator / sqrt(square): compared as exact squares."""
    if numerator == 0 or value == 0.0:
        return numerator == 0 and value == 0.0 and math.copysign(1.0, value) == 1.0
    if (value < 0) != (numerator < 0):
        return False
    least = most = abs(value)
    for _ in range(ulps):
        least, most = math.nextafter(least, 0.0), math.nextafter(most, math.inf)
    return Fraction(least) ** 2 <= Fraction(numerator**2, square) <= Fraction(most) ** 2


def of_history(history: History, amount: int) -> float:
    """The z-score of these amounts before the one given."""
    count, total, squares = (sum(times * held**power for held, times in history) for power in range(3))
    with np.errstate(over="ignore"):
        return float(zscore(count, total, squares >> LIMB_BITS, squares & (2**LIMB_BITS - 1), amount))


@settings(max_examples=drawn(500), deadline=None)
@given(histories(), AMOUNTS)
@example([(1_149_100_000, 7)], 1_149_200_000)
@example([(35_871_197, 7)], 35_872_197)
@example([(1_200_000_007, 3), (1_200_000_009, 1), (1_200_000_005, 1)], 1_200_000_013)
@example([(AMOUNT_MINOR_END - 1, 3_900_000), (AMOUNT_MINOR_END - 2, 1)], 0)
@example([(0, 2**60), (1, 1)], AMOUNT_MINOR_END - 1)
@example([(0, 2**61), (1, 2**61), (2, 2**60)], 1)
@example([(10, 1), (20, 1)], 15)
@example([(3, 2**61), (4, 1)], 9)
# a carry into the third word, and borrows from the second and the third
@example([(0, 3_483_131_830_131_995_813), (88_998_852_284, 144_812)], 0)
@example([(0, 2_598_301_269_608_425_783), (86_203_509_766, 2_578_638)], 0)
@example([(0, 5_261_013_709_939_691_422), (4_200_000_001, 11)], 0)
def test_a_z_score_is_four_units_in_the_last_place_from_the_exact_value_at_most_and_zero_exactly_where_that_is(
    history: History, amount: int
) -> None:
    numerator, square = exact(history, amount)
    assert within(of_history(history, amount), numerator, square, Z_ULPS)


#: numbers in three words, and such that lie in the middle of two doubles or beside it
WIDE = st.integers(1, 159).flatmap(lambda bits: st.integers(2 ** (bits - 1), 2**bits - 1))
MIDDLES = st.builds(
    lambda odd, shift, beside: ((2 * odd + 1) << shift) + beside, st.integers(2**52, 2**53 - 1), st.integers(0, 104), st.integers(-1, 1)
)


@settings(max_examples=drawn(300), deadline=None)
@given(WIDE | MIDDLES)
@example(2**64)
@example(2**128 + 2**75 + 1)
@example(((2**53 + 1) << 10) + 1)
@example(2**128 + 2**75)
def test_an_integer_of_three_words_becomes_the_double_nearest_to_it(number: int) -> None:
    words = [np.uint64(number >> shift & (2**64 - 1)) for shift in (128, 64, 0)]
    assert _nearest(*words) == float(number)


def test_a_constant_history_has_no_spread_however_large_its_amounts_are() -> None:
    rng = np.random.default_rng(5)
    for amount, count in zip(rng.integers(1, AMOUNT_MINOR_END, 3_000).tolist(), rng.integers(2, 3_900_000, 3_000).tolist(), strict=True):
        assert of_history([(amount, count)], AMOUNT_MINOR_END - 1) == 0.0


def test_plain_python_gives_the_same_bytes() -> None:
    assert printed("from tables.test_moments import scores; print(scores())") == scores().strip()


def scores() -> str:
    """Z-scores of amounts of every size, in hex."""
    rng, found = random.Random(7), []
    for _ in range(2_000):
        base, count = rng.randrange(2 ** rng.randrange(1, 37)), rng.randrange(1, 2 ** rng.randrange(1, 24))
        found.append(of_history([(base, count), (base + rng.randrange(3), 1 + rng.randrange(9))], rng.randrange(AMOUNT_MINOR_END)).hex())
    return " ".join(found)


def test_a_value_that_is_further_away_is_seen() -> None:
    """The comparison of this file itself."""
    value = of_history([(10, 1), (20, 3)], 40)
    numerator, square = exact([(10, 1), (20, 3)], 40)
    far = value
    for _ in range(2 * Z_ULPS):
        far = math.nextafter(far, math.inf)
    assert within(value, numerator, square, Z_ULPS)
    assert not any(within(wrong, numerator, square, Z_ULPS) for wrong in (far, -value, 0.0))
    assert not within(1e-300, 0, 1, Z_ULPS)


DOCUMENT: dict[str, Any] = {
    "feature_set": "moments",
    "revision": "1",
    "entities": ["account"],
    "label_entities": ["account"],
    "features": [
        {"name": "count", "entity": "account", "op": "count", "window": "30s", "resolution": "10s"},
        {"name": "sum", "entity": "account", "op": "sum", "value": "amount_minor", "window": "30s", "resolution": "10s"},
        {"name": "mean", "entity": "account", "op": "mean", "value": "amount_minor", "window": "30s", "resolution": "10s"},
        {"name": "z", "entity": "account", "op": "zscore", "value": "amount_minor", "window": "30s", "resolution": "10s"},
        {"name": "rate", "entity": "account", "op": "fraud_rate", "window": "30s", "resolution": "10s"},
    ],
}
PLAN = compile_plan(DOCUMENT)
T0 = 1_520_000_000 * SECOND
#: (amount, seconds since the payment before, fraud): payments leave the window, too
PAID = st.tuples(AMOUNTS | st.sampled_from([1_149_100_000, 1_149_100_001]), st.sampled_from([0, 0, 1, 4, 10, 25]), st.booleans())


@settings(max_examples=drawn(150), deadline=None)
@given(st.lists(PAID, min_size=1, max_size=14))
def test_every_moment_of_a_window_is_that_of_exact_fractions_over_the_payments_in_it(paid: list[tuple[int, int, bool]]) -> None:
    """Mean and rate are the double nearest to the exact fraction."""
    rows, at, buckets = [], T0, list[int]()
    for number, (amount, seconds, fraud) in enumerate(paid):
        at += seconds * SECOND
        buckets.append(at // (10 * SECOND))
        rows += [pay(f"p{number}", at, amount, account="a"), assertion(f"l{number}", at, f"p{number}", fraud=fraud)]
    folded = fold_in_batches(PLAN, rows, [])
    for number, (amount, _, _) in enumerate(paid):
        held = [(before, fraud) for (before, _, fraud), b in zip(paid[:number], buckets, strict=False) if buckets[number] - 3 < b]
        values, n = values_of(PLAN, folded.rows, 2 * number), len(held)
        assert (values["count"], values["sum"]) == (n, sum(before for before, _ in held))
        assert values["mean"] == (float(Fraction(sum(before for before, _ in held), n)) if n else 0.0)
        assert values["rate"] == (float(Fraction(sum(fraud for _, fraud in held), n)) if n else 0.0)
        assert within(values["z"], *exact([(before, 1) for before, _ in held], amount), Z_ULPS)


@settings(max_examples=drawn(150), deadline=None)
@given(SIZES, SIZES)
@example(2**53 + 1, 3)
@example(2**63 - 1, 2**63 - 1)
def test_a_mean_is_the_nearest_double_up_to_a_sum_of_2_to_the_53_and_two_units_from_it_above(total: int, count: int) -> None:
    """Totals are planted into the state: no test pays so often."""
    tables = LaneTables(PLAN)
    tables.fold([pay("p0", T0, 1, account="a")])
    (windows,) = tables.features.windows
    running = int(windows.plan.window_words[0, 0])
    windows.lines[0, running + COUNT], windows.lines[0, running + SUM] = count, total
    mean, fraction = values_of(PLAN, tables.fold([pay("p1", T0, 1, account="a")]), 0)["mean"], Fraction(total, count)
    if max(total, count) <= 2**53:
        assert mean == float(fraction)
    assert within(mean, total, count * count, 2)


@pytest.mark.parametrize("account", ["a", None])
def test_a_window_without_payments_has_no_moment(account: str | None) -> None:
    values = values_of(PLAN, LaneTables(PLAN).fold([pay("p0", T0, 7, account=account)]), 0)
    assert set(values.values()) == {0}
