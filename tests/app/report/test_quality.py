"""Ranking metrics against cases made by hand and against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.app.report.quality import auc_roc, average_precision, card_precision, card_precision_most, measure, rows_of_test_week

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=25)


def _arrays(pairs: list[tuple[bool, int]]) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    return np.array([p[0] for p in pairs], np.bool_), np.array([p[1] for p in pairs], np.int64)


@given(PAIRS)
def test_auc_is_the_share_of_pairs_in_the_right_order_with_ties_counting_half(pairs: list[tuple[bool, int]]) -> None:
    scores = [(a, b) for fa, a in pairs if fa for fb, b in pairs if not fb]
    expected = sum((a > b) + (a == b) / 2 for a, b in scores) / len(scores) if scores else None
    assert auc_roc(*_arrays(pairs)) == (None if expected is None else pytest.approx(expected))


@given(PAIRS)
def test_average_precision_takes_one_distinct_score_at_a_time(pairs: list[tuple[bool, int]]) -> None:
    frauds = sum(f for f, _ in pairs)
    total = 0.0
    for level in {s for _, s in pairs}:
        at_or_above = [f for f, s in pairs if s >= level]
        total += sum(at_or_above) / len(at_or_above) * sum(f for f, s in pairs if s == level)
    assert average_precision(*_arrays(pairs)) == (pytest.approx(total / frauds) if frauds else None)


def test_a_perfect_ranking_scores_one_everywhere() -> None:
    fraud = np.array([True, False, False])
    quality = measure(np.zeros(3, np.int64), np.arange(3), fraud, np.array([9, 1, 0]), top=1)
    assert quality == (3, 1, 1.0, 1.0, 1.0, 1.0)


def test_one_constant_score_ranks_like_chance() -> None:
    fraud = np.array([True, False, False, False])
    assert auc_roc(fraud, np.zeros(4, np.int64)) == 0.5
    assert average_precision(fraud, np.zeros(4, np.int64)) == 0.25


def test_card_precision_ranks_customers_by_their_highest_score() -> None:
    day = np.zeros(4, np.int64)
    customer = np.array([1, 1, 2, 3])
    fraud = np.array([True, False, False, False])
    assert card_precision(day, customer, fraud, np.array([1, 9, 5, 0]), top=2) == 0.5


def test_a_customer_found_on_one_day_leaves_the_ranking_of_later_days() -> None:
    day = np.array([0, 0, 1, 1])
    customer = np.array([1, 2, 1, 2])
    fraud = np.array([True, False, True, True])
    assert card_precision(day, customer, fraud, np.array([9, 1, 9, 1]), top=1) == 1.0


def test_without_rows_there_is_no_metric() -> None:
    nothing = np.zeros(0, np.int64)
    assert measure(nothing, nothing, nothing.astype(np.bool_), nothing) == (0, 0, None, None, None, 1.0)


def test_without_a_fraud_nothing_is_ranked_rightly_or_wrongly() -> None:
    days = np.arange(2)
    assert measure(days, days, np.zeros(2, np.bool_), days) == (2, 0, None, None, None, 0.01)


def test_customers_known_to_be_compromised_are_not_tested() -> None:
    # training days 0..6, delay 7..13, test 14..20
    day = np.array([3, 14, 7, 14, 15, 16, 13, 20, 21])
    customer = np.array([1, 1, 2, 2, 2, 3, 4, 4, 5])
    fraud = np.array([True, True, True, False, True, True, True, True, True])
    kept = rows_of_test_week(day, customer, fraud, 0)
    # customer 1: found in training. 2: the fraud of day 7 is known on test day 15. 4: the fraud of day 13 is never known in time
    assert np.flatnonzero(kept).tolist() == [3, 5, 7]


def test_card_precision_cannot_exceed_the_customers_of_a_day() -> None:
    day, customer = np.array([1, 1, 1, 2, 2]), np.array([7, 7, 8, 7, 9])
    assert card_precision_most(day, customer, top=4) == 0.5
    assert card_precision_most(day, customer, top=2) == card_precision_most(day[:0], customer[:0]) == 1.0
    perfect = measure(day, customer, np.ones(5, np.bool_), np.arange(5), top=4)
    assert perfect.card_precision is not None
    assert perfect.card_precision <= perfect.card_precision_most == 0.5
