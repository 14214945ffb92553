"""Trips: which earlier arrival an arrival goes on with."""

from __future__ import annotations

import numpy as np
import pytest

from assay.engine.behaviour.clientele import grouped, predecessor
from assay.engine.behaviour.sessions import count_sessions

MINUTE = 60
ORDER = np.arange(8)


@pytest.mark.parametrize(
    ("minutes", "taken", "start", "gap", "found"),
    [
        ([0, 5, 10, 15], [], 0, 7, 1),  # the next one that lies the gap back
        ([0, 5, 10, 15], [1], 0, 7, 0),  # that has a successor, so the one before
        ([0, 5, 10, 15], [0, 1], 0, 7, 2),  # none so far back, so a nearer one
        ([0, 5, 10, 15], [0, 1, 2], 0, 7, -1),  # all have successors
        ([0, 5, 10, 15], [], 2, 7, 2),  # earlier ones are of another country
        ([0, 5, 10, 15], [], 3, 7, -1),  # the first of its country
        ([0, 1, 2, 40], [], 0, 7, -1),  # all lie beyond the time-out of 30 minutes
        ([0, 9, 10, 40], [], 0, 7, 2),  # the time-out itself is near enough
        ([14, 14, 14, 15], [], 0, 7, 0),  # nothing the gap back, so the earliest of the nearer ones
    ],
)
def test_an_arrival_goes_on_with_the_nearest_one_a_gap_back(minutes: list[int], taken: list[int], start: int, gap: int, found: int) -> None:
    marks = np.zeros(len(minutes), np.uint8)
    marks[taken] = 1
    ts = np.array(minutes) * MINUTE
    assert predecessor(ORDER, ts, marks, start, len(minutes) - 1, gap * MINUTE, 30 * MINUTE) == found


def test_rows_are_grouped_in_order() -> None:
    group, order = np.array([2, 0, 2, 1, 0]), np.array([4, 3, 2, 1, 0])
    ends, out = np.zeros(4, np.int64), np.zeros(5, np.int64)
    grouped(order, group, ends, out)
    assert out.tolist() == [4, 1, 3, 2, 0]
    assert ends[:3].tolist() == [2, 3, 5]


def test_sessions_end_with_the_party_and_after_the_time_out() -> None:
    party, ts = np.array([1, 1, 1, 2, 2]), np.array([0, 30, 61, 61, 62])
    session = np.zeros(5, np.int64)
    assert count_sessions(np.arange(5), party, ts, 30, session) == 3
    assert session.tolist() == [0, 0, 1, 2, 2]
