"""Crashes, duplicates, delays and reordering as elements of the input: what is promised holds, and decisions are the same."""

from __future__ import annotations

from functools import cache

import pytest
from oracles.schedule import boundaries
from records import CONTEXT, CONTROL, INPUTS, LABELS, POSTURE, RTDL, TRAFFIC
from simulated_worlds import LANES, Finished, World, assert_promises, decision_digest, decisions, run, small_world

from assay.app.simulation.faults import BOUNDARIES, Crash, CutOff, Delay, Duplicate, Planted
from assay.codecs.single_object import unpack


@cache
def world() -> World:
    return small_world()


@cache
def undisturbed(*, standbys: bool = False) -> Finished:
    finished = run(world(), standbys=standbys)
    assert_promises(world(), finished)
    return finished


def occurrences(lane: str, boundary: str) -> dict[str, int]:
    """The first, a middle and the last time a lane comes to a boundary when nothing disturbs it."""
    reached = undisturbed(standbys=boundary == "snapshotting").simulator.times_reached()[(lane, boundary)]
    return {"first": 1, "middle": max(1, reached // 2), "late": reached}


@pytest.mark.parametrize("when", ["middle", *(pytest.param(when, marks=pytest.mark.long) for when in ("first", "late"))])
@pytest.mark.parametrize(("lane", "boundary"), [(lane, b) for lane in LANES for b in boundaries(lane)])
def test_a_crash_at_a_boundary_changes_nothing_in_effect(lane: str, boundary: str, when: str) -> None:
    planted = Planted(Crash(), lane, boundary, occurrences(lane, boundary)[when])
    finished = run(world(), [planted], standbys=boundary == "snapshotting")
    assert finished.simulator.met == [planted], "the crash was not reached"
    assert_promises(world(), finished)
    assert decision_digest(finished.log) == decision_digest(undisturbed().log)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_crashes_during_recovery_change_nothing_in_effect(boundary: str) -> None:
    """The process dies, and its successors die where they come to a boundary next."""
    lane = "act" if boundary.startswith("effects") else "rtdl"
    crashes = [Planted(Crash(), lane, boundary, occurrences(lane, boundary)["middle"] + again) for again in range(3)]
    finished = run(world(), crashes, standbys=boundary == "snapshotting")
    assert finished.simulator.met == crashes
    assert_promises(world(), finished)
    assert decision_digest(finished.log) == decision_digest(undisturbed().log)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("boundary", ["fetched", "journal_sent"])
def test_a_worker_that_is_cut_off_while_another_takes_over_changes_nothing_in_effect(lane: str, boundary: str) -> None:
    """It goes on working all the while, and what it sent arrives when the other has long begun."""
    planted = Planted(CutOff(1_000_000), lane, boundary, 1)
    finished = run(world(), [planted])
    assert finished.simulator.met == [planted]
    assert finished.simulator.owners[lane] == 2
    assert_promises(world(), finished)
    assert decision_digest(finished.log) == decision_digest(undisturbed().log)


@pytest.mark.parametrize("rows_max", [1, 10, 5_000])
@pytest.mark.parametrize("partitions", [1, 3, 6])
def test_partitions_and_batch_sizes_give_one_digest(partitions: int, rows_max: int) -> None:
    finished = run(world(), partitions=partitions, rows_max=rows_max)
    assert_promises(world(), finished)
    assert decision_digest(finished.log) == decision_digest(undisturbed().log)


@pytest.mark.parametrize("partitions", [1, 3, 6])
@pytest.mark.parametrize("delayed", INPUTS)
def test_a_delayed_topic_gives_the_same_digest(partitions: int, delayed: str) -> None:
    finished = run(world(), [Planted(Delay(500_000, delayed))], partitions=partitions)
    assert decision_digest(finished.log) == decision_digest(undisturbed().log)


@pytest.mark.parametrize("handle", [CONTROL, POSTURE, LABELS, CONTEXT, TRAFFIC, RTDL])
def test_redelivered_records_change_nothing(handle: str) -> None:
    finished = run(world(), [Planted(Duplicate(25, handle))])
    assert_promises(world(), finished)
    assert finished.log.values("FP_BUS_QUARANTINE_V1") == []
    assert decision_digest(finished.log) == decision_digest(undisturbed().log)


def test_labels_reach_features_with_their_delay() -> None:
    """The world is worth its name: some decision saw a terminal's fraud."""
    seen = [unpack(value)[1]["features"]["doubles"] for value in decisions(undisturbed().log).values()]
    assert len({tuple(values) for values in seen}) > 10


def test_a_missing_posture_is_fail_safe_for_every_decision() -> None:
    finished = run(small_world(with_posture=False))
    found = [unpack(value)[1] for value in decisions(finished.log).values()]
    assert all("POSTURE_MISSING_FAIL_SAFE" in record["reasons"] for record in found)
    assert "ALLOW" not in {record["outcome"] for record in found}
