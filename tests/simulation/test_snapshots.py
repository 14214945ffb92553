"""Snapshots in simulated runs: standbys take them, lanes start from them, journals are truncated to them, and faults meet them."""

from __future__ import annotations

from functools import partial

import pytest
from seeded_runs import run_seed, violated
from simulated_worlds import Finished

from assay.agents.step import LaneId
from assay.app.journal.maintenance import verified_target
from assay.app.simulation.faults import DAMAGES, OVERTAKINGS, Planted, SlowSnapshot, TornSnapshot
from assay.app.simulation.maintenance import JournalMaintenance, ModelJournal
from assay.app.snapshots.store import SnapshotStore


def _whole(finished: Finished, lane: str) -> list[int]:
    return [manifest.next_offset for manifest in _keeper(finished).whole(finished.simulator.lanes[lane])]


def _keeper(finished: Finished) -> JournalMaintenance:
    return finished.simulator.keeper


@pytest.mark.parametrize(("lane", "damage"), list(zip(("rtdl", "act", "rtdl", "act", "rtdl"), DAMAGES, strict=True)))
def test_a_snapshot_that_is_torn_is_refused_and_the_lane_starts_from_the_one_before_it(lane: str, damage: str) -> None:
    planted = Planted(TornSnapshot(damage), lane, "committed", 5)
    finished = run_seed(3, [planted])
    assert finished.simulator.met == [planted]
    assert violated(3, finished) == []
    assert any(_keeper(finished).begun_at), "no process started from a snapshot"
    assert _whole(finished, lane)


def test_a_snapshot_is_only_torn_where_there_is_one_before_it() -> None:
    finished = run_seed(3, [Planted(TornSnapshot("part_flipped"), "rtdl", "recovering", 1)])
    assert finished.simulator.met == [], "no snapshot is there when the lane is first recovered"
    keeper, lane = _keeper(finished), finished.simulator.lanes["rtdl"]
    assert keeper.truncated, "no journal was truncated"
    while keeper.tear(lane, "part_missing"):
        pass
    assert len(keeper.whole(lane)) == 1


@pytest.mark.parametrize(("lane", "overtaken_by"), list(zip(("rtdl", "act", "act"), OVERTAKINGS, strict=True)))
def test_a_slow_snapshot_is_overtaken_by_what_happens_while_it_is_written(lane: str, overtaken_by: str) -> None:
    planted = Planted(SlowSnapshot(800_000, overtaken_by), lane, "fetched", 4)
    finished = run_seed(4, [planted])
    assert finished.simulator.met == [planted]
    assert finished.simulator.owners[lane] == (2 if overtaken_by == "claim" else 1)
    assert violated(4, finished) == []


def test_a_snapshot_that_is_there_but_not_the_fold_of_its_journal_is_found_at_rest() -> None:
    finished = run_seed(3, [Planted(SlowSnapshot(50_000, "claim"), "rtdl", "fetched", 4)])
    assert violated(3, finished) == []
    keeper, store = _keeper(finished), finished.simulator.store
    manifest = keeper.whole(finished.simulator.lanes["rtdl"])[0]
    draft = SnapshotStore(store, LaneId("rtdl", 0)).draft(manifest.sequence)
    draft.parts = list(manifest.parts)
    del store.objects[manifest.key]
    assert draft.publish(manifest.model_copy(update={"next_offset": manifest.next_offset + 5}))
    [wrong] = violated(3, finished)
    assert wrong == f"the snapshot of rtdl at record {manifest.sequence} goes on at {manifest.next_offset + 5}, behind the next record"


def test_a_journal_is_truncated_to_snapshots_that_a_power_failure_does_not_take() -> None:
    finished = run_seed(3, [Planted(SlowSnapshot(50_000, "claim"), "rtdl", "fetched", 4)])
    simulator = finished.simulator
    lane, store = simulator.lanes["rtdl"], simulator.store
    newest = _keeper(finished).whole(lane)[:2]
    assert len(newest) == 2
    for manifest in newest:  # their writers ended before the flush
        value = store.objects.pop(manifest.key)
        store.cut_off(manifest.key, partial(store.objects.__setitem__, manifest.key, value))
    target, _ = verified_target(ModelJournal(simulator.log, store, lane))
    store.power_fails()
    assert target in _keeper(finished).whole(lane)
