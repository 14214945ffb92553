"""A policy that changes in the middle of a run: the journal says where, whatever happens to the processes and the topics."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import numpy as np
import pytest
from effort import seeds
from policy_revisions import changed, revision
from records import CONTROL, INPUTS, OTHER_PINS, TRAFFIC
from simulated_worlds import Event, Finished, World, assert_promises, config, decisions, inputs, read, run, small_world

from assay.agents.specs import Role
from assay.agents.topology import TOPOLOGY
from assay.app.backtest.folding import folded
from assay.app.lane.assembly import partition_counts
from assay.app.run.directory import RunConfig
from assay.app.simulation.faults import BOUNDARIES, Crash, CutOff, Delay, Duplicate, Planted, Reorder
from assay.app.simulation.lanes import KeyedEffector, simulated_lanes
from assay.app.simulation.log import ModelLog
from assay.app.simulation.simulated_lane import SimulatedLane
from assay.app.simulation.simulator import Simulator
from assay.codecs.columns import Strings
from assay.codecs.decision_digest import DecisionDigest
from assay.codecs.journal_record import ROW, JournalRecord
from assay.codecs.single_object import unpack
from assay.contracts.handles import JOURNAL_RTDL, QUARANTINE, RTDL
from assay.contracts.reasons import Reason
from assay.tables.row_kinds import POLICY_REVISION

BEGUN = config().policy
STRICT, LOOSE = changed(BEGUN, "strict", lower=25, points=10), changed(BEGUN, "loose", points=-10)
#: what of a decision does not depend on how its run went
FIELDS = ("features", "score", "outcome", "reasons", "policy")


@cache
def undisturbed(revision_name: str, ordering: str = "event_time") -> dict[str, Any]:
    """Decisions of a run that has one policy from its first row on, by event."""
    documents = {str(document["revision"]): document for document in (BEGUN, STRICT, LOOSE)}
    return shown(run(small_world(), under=under(ordering, documents[revision_name])))


def under(ordering: str = "event_time", document: dict[str, Any] = BEGUN) -> RunConfig:
    return config().model_copy(update={"ordering": ordering, "policy": document})


def shown(finished: Finished) -> dict[str, Any]:
    return {event: {name: read(value)[name] for name in FIELDS} for event, value in decisions(finished.log).items()}


def with_revisions(*events: Event) -> World:
    plain = small_world()
    return World(sorted((*plain.events, *events), key=lambda event: event.ts_us), plain.payments)


def control(ts_us: int, value: bytes, refused: Reason | None = None) -> Event:
    return Event(CONTROL, "run", ts_us, value, refused)


def faults(random: Random) -> list[Planted]:
    """Crashes where the lane writes, a topic that is late, records that come again or in another order, a worker that is cut off."""
    boundary = random.choice([one for one in BOUNDARIES if one not in ("snapshotting", "effects_asked", "effects_executed")])
    return [
        *(Planted(Crash(), "rtdl", boundary, random.randint(1, 6)) for _ in range(2)),
        Planted(Delay(random.choice((20_000, 500_000)), random.choice(sorted(INPUTS)))),
        Planted(Duplicate(random.randint(1, 50)), "rtdl", "fetched", random.randint(1, 4)),
        Planted(Reorder(random.randint(3, 40), 50_000), "rtdl", "fetched", random.randint(1, 4)),
        *([Planted(CutOff(400_000), "rtdl", "journal_sent", 2)] if random.random() < 0.5 else []),
    ]


@pytest.mark.parametrize("seed", seeds(60, usual=2))
def test_decisions_before_and_after_a_change_are_those_of_two_undisturbed_runs(seed: int) -> None:
    """By event time: the change has its own place, with every partition count and after any fault."""
    random = Random(seed)
    places = sorted(random.choice(small_world().events).ts_us for _ in range(2))
    first = revision(STRICT, BEGUN, 1, places[0])
    changes = [control(places[0], first), control(places[1], revision(LOOSE, STRICT, 2, places[1]))]
    if random.random() < 0.5:
        changes.append(control(places[0], first))
    finished = run(with_revisions(*changes), faults(random), seed, random.choice((1, 3)), random.choice((1, 7, 5_000)), standbys=True)
    assert_promises(with_revisions(*changes), finished)
    times = {read(event.value)["event_id"]: event.ts_us for event in small_world().events if event.handle == TRAFFIC}
    found = shown(finished)
    wanted = {event: undisturbed(in_force(times[event], places))[event] for event in found}
    assert found == wanted
    assert set(found) == small_world().payments


def in_force(ts_us: int, places: list[int]) -> str:
    return ("strict" if ts_us < places[1] else "loose") if ts_us >= places[0] else str(BEGUN["revision"])


@pytest.mark.parametrize("ordering", ["event_time", "arrival"])
def test_a_revision_behind_the_marks_counts_from_the_next_row_and_is_not_refused(ordering: str) -> None:
    """Control has had its final mark when somebody changes the policy of a run in event time: the journal says from which row on."""
    events = small_world().events
    late = control(events[len(events) // 2].ts_us, revision(STRICT, BEGUN, 1, events[0].ts_us))
    finished = as_it_comes(with_revisions(late), [Planted(Crash(), "rtdl", "computed", 9)], under(ordering))
    assert_promises(with_revisions(late), finished)
    place = changed_at(finished)
    for event, value in decisions(finished.log).items():
        decision = read(value)
        name = "strict" if (decision["basis"]["sequence"], decision["row"]) > place else str(BEGUN["revision"])
        assert decision["policy"]["revision"] == name
        if ordering == "event_time":
            assert shown(finished)[event] == undisturbed(name)[event]
    assert {read(value)["policy"]["revision"] for value in decisions(finished.log).values()} == {"strict", BEGUN["revision"]}


def as_it_comes(world: World, planted: list[Planted], run_config: RunConfig) -> Finished:
    """A run whose input is published while it goes on."""
    log, effector = ModelLog(), KeyedEffector()
    lanes = simulated_lanes(run_config, partition_counts(1), effector.execute, 5)
    simulator = Simulator(lanes, log, 1, planted, fetch_max=25, feed=inputs(world, 1, 4), lot_max=12)
    simulator.run()
    return Finished(log, simulator, effector)


def changed_at(finished: Finished) -> tuple[int, int]:
    """Sequence and row of the revision in the journal."""
    found = set()
    for value in finished.log.values(JOURNAL_RTDL):
        record = JournalRecord.from_bytes(value)
        rows = record.block.within(ROW)
        if rows:
            found |= {(record.sequence, row) for row in np.flatnonzero(np.asarray(rows["kind"]) == POLICY_REVISION).tolist()}
    [place] = found
    return place


def test_a_refused_revision_is_a_dead_letter_and_the_lane_goes_on_under_the_policy_in_force() -> None:
    at = [event.ts_us for event in small_world().events]
    wrong = [
        control(at[10], revision(STRICT, LOOSE, 1, at[10]), Reason.POLICY_REVISION_REFUSED),
        control(at[20], revision(STRICT, BEGUN, 1, at[20], document="[]"), Reason.RULES_DOCUMENT_INVALID),
        control(at[30], revision(STRICT, BEGUN, 1, at[30], OTHER_PINS), Reason.RUN_SCOPE_MISMATCH),
    ]
    finished = run(with_revisions(*wrong), [Planted(Crash(), "rtdl", "computed", 4)])
    assert_promises(with_revisions(*wrong), finished)
    assert {unpack(value)[1]["reason"] for value in finished.log.values(QUARANTINE)} == {event.refused for event in wrong}
    assert shown(finished) == undisturbed(str(BEGUN["revision"]))


def test_a_journal_alone_gives_the_same_decisions_across_a_change() -> None:
    """A machine that knows the run's configuration of the beginning and nothing else."""
    places = [small_world().events[at].ts_us for at in (20, 60)]
    changes = [control(places[0], revision(STRICT, BEGUN, 1, places[0])), control(places[1], revision(LOOSE, STRICT, 2, places[1]))]
    finished = run(with_revisions(*changes), rows_max=9)
    published, recomputed = DecisionDigest(), DecisionDigest()
    for emission in refolded(finished.simulator, finished):
        recomputed.update(emission)
    for value in finished.log.values(RTDL):
        if unpack(value)[0] == "decision_response":
            published.update(Strings.of([value]))
    assert recomputed.hexdigest() == published.hexdigest()


def refolded(simulator: Simulator, finished: Finished) -> list[Any]:
    lane: SimulatedLane = simulator.lanes[TOPOLOGY.with_role(Role.DECIDE).name]
    machine = lane.make()
    outputs = [machine.apply(value) for value in finished.log.values(JOURNAL_RTDL)]
    return [emission.values for output in outputs for emission in output.emissions if emission.handle == RTDL]


def test_a_backtest_takes_the_changes_of_the_run_on_its_own_side_and_one_policy_on_the_other() -> None:
    place = small_world().events[40].ts_us
    finished = run(with_revisions(control(place, revision(STRICT, BEGUN, 1, place))), rows_max=9)
    ours, theirs = dict[str, Any](), dict[str, Any]()
    for both in folded(under(), under(document=LOOSE), finished.log.values(JOURNAL_RTDL), 1, None):
        for side, found in ((both.ours, ours), (both.theirs, theirs)):
            records = [read(value or b"") for value in (side.decided.tolist() if side.decided else ())]
            found |= {one["source_event"]["event_id"]: {name: one[name] for name in FIELDS} for one in records}
    assert ours == shown(finished)
    assert theirs == undisturbed("loose")
