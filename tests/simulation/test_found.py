"""What the simulator found in the lanes, each as the fault that showed it."""

from __future__ import annotations

import pytest
from effort import seeds
from seeded_runs import run_seed, violated

from assay.app.simulation.faults import ClockJump, Freeze, Planted, Rival

DAY_US = 86_400_000_000


@pytest.mark.parametrize("lane", ["rtdl", "act"])
@pytest.mark.parametrize("occurrence", [1, 2])
def test_of_two_claims_at_once_one_counts_and_the_lane_goes_on(lane: str, occurrence: int) -> None:
    """Both have the same epoch and sequence; the second was taken for a gap, and no worker could start any more."""
    finished = run_seed(1, [Planted(Rival(), lane, "claiming", 1), Planted(Rival(), lane, "claiming", 1 + occurrence)])
    assert len(finished.simulator.met) == 2
    assert violated(1, finished) == []


@pytest.mark.parametrize("lane", ["rtdl", "act"])
def test_a_claim_that_lands_long_after_anothers_counts_for_nothing(lane: str) -> None:
    """It slept in a frozen process, and was taken for a gap when it landed."""
    finished = run_seed(2, [Planted(Freeze(1_000_000, unsent=True), lane, "claiming", 1)])
    assert len(finished.simulator.met) == 1
    assert violated(2, finished) == []


@pytest.mark.parametrize("lane", ["rtdl", "act", "audit"])
@pytest.mark.parametrize("boundary", ["journal_sent", "committed"])
def test_a_clock_that_is_set_back_holds_nothing_up(lane: str, boundary: str) -> None:
    """The open audit segment, changed rows and the notes of an idle lane waited until the clock had caught up."""
    finished = run_seed(3, [Planted(ClockJump(-DAY_US), lane, boundary, occurrence) for occurrence in (3, 4, 5, 14)])
    assert finished.simulator.met
    assert violated(3, finished) == []


@pytest.mark.parametrize("us", [-3_600_000_000, -DAY_US])
def test_a_worker_whose_clock_is_behind_decides_nothing_before_it_was_admitted(us: int) -> None:
    """The gate's machine has the right time; decisions were stamped an hour before their payments came in."""
    finished = run_seed(3, [Planted(ClockJump(us), "rtdl", "claiming", 1)])
    assert finished.simulator.met
    assert violated(3, finished) == []


@pytest.mark.parametrize(("lane", "occurrence"), [("rtdl", 1), ("act", 1), ("act", 2)])
def test_a_worker_whose_clock_is_behind_completes_nothing_before_it_was_decided(lane: str, occurrence: int) -> None:
    """Decisions have the time of their admission then, and were published with the time of the clock."""
    finished = run_seed(3, [Planted(ClockJump(-DAY_US), lane, "claiming", occurrence)])
    assert violated(3, finished) == []


@pytest.mark.parametrize("seed", seeds(4))
def test_a_worker_that_slept_since_it_wrote_a_segment_does_not_move_the_head_back(seed: int) -> None:
    """Others have gone on meanwhile: the chain did not verify any more, and the audit lane could not start."""
    finished = run_seed(seed, [Planted(Freeze(1_500_000, unsent=False), "audit", "journal_sent", 2)])
    assert len(finished.simulator.met) == 1
    assert violated(seed, finished) == []


def test_what_is_sent_again_is_known_again_although_its_payments_are_older_than_the_horizon() -> None:
    """In a sparse history what is under way at once spans more than it: the act lane took decisions sent again for new ones."""
    finished = run_seed(54)
    assert finished.simulator.met
    assert violated(54, finished) == []
