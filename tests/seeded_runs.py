"""Runs that a seed decides: a world, its pacing, and what goes wrong where."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import NamedTuple

from oracles.checks import violations
from oracles.schedule import schedule, wants_standbys
from simulated_worlds import Finished, World, config, decision_digest, given, inputs, run, troubled_world

from assay.app.lane.assembly import partition_counts
from assay.app.simulation.faults import Planted
from assay.app.simulation.lanes import KeyedEffector, simulated_lanes
from assay.app.simulation.log import ModelLog
from assay.app.simulation.simulator import Simulator
from assay.app.snapshots.taking import SnapshotPace

#: worlds are shared by seeds, so that each is run undisturbed only once
WORLDS = 5
#: what a run must hold to count: events beside marks, and faults that happened
EVENTS_MIN, FAULTS_MIN = 500, 3


class Verdict(NamedTuple):
    """What came of a seed. Two runs of one seed have the same fingerprint: every byte that is left is in it."""

    seed: int
    events: int
    met: Sequence[Planted]
    wrong: Sequence[str]
    fingerprint: str


@cache
def world(number: int) -> World:
    return troubled_world(number)


@cache
def undisturbed(number: int) -> str:
    """The decision digest of a world when nothing goes wrong and everything is there before it begins."""
    return decision_digest(run(world(number), rows_max=5_000).log)


def prepared(seed: int, faults: Sequence[Planted] | None = None) -> Finished:
    """The run of a seed before it begins, under its own faults if none are given."""
    random, given_world = Random(seed), world(seed % WORLDS)
    partitions, rows_max = random.choice((1, 3)), random.choice((12, 40, 5_000))
    log, effector = ModelLog(), KeyedEffector()
    lanes = simulated_lanes(config(), partition_counts(partitions), effector.execute, rows_max)
    planted = schedule(seed) if faults is None else faults
    feed, standbys = inputs(given_world, partitions, 20), random.random() < 0.5 or wants_standbys(planted)
    pace = SnapshotPace(random.choice((2, 3, 6)), 0.0)
    simulator = Simulator(lanes, log, seed, planted, fetch_max=200, feed=feed, lot_max=100, standbys=standbys, pace=pace)
    return Finished(log, simulator, effector)


def run_seed(seed: int, faults: Sequence[Planted] | None = None) -> Finished:
    """The run of a seed, come to rest."""
    finished = prepared(seed, faults)
    finished.simulator.run()
    return finished


def violated(seed: int, finished: Finished) -> list[str]:
    """What is wrong with the run of a seed."""
    expected = given(world(seed % WORLDS), finished, undisturbed(seed % WORLDS))
    return violations(finished.simulator, expected, finished.effector)


def judged(seed: int) -> Verdict:
    """Run a seed and say what is wrong with it; a run that breaks off or is too small to count is wrong too."""
    begun = prepared(seed)
    try:
        begun.simulator.run()
        wrong = violated(seed, begun)
    except Exception as error:  # noqa: BLE001  # whatever breaks a run off, it is the seed that failed
        wrong = [" ← ".join(_chain(error))]
    events, met = len(world(seed % WORLDS).events), begun.simulator.met
    if events < EVENTS_MIN or len(met) < FAULTS_MIN:
        wrong.append(f"{events} events and {len(met)} faults are no test; wanted are {EVENTS_MIN} and {FAULTS_MIN}")
    return Verdict(seed, events, met, wrong, fingerprint(begun))


def fingerprint(finished: Finished) -> str:
    """A digest over everything a run has left: records, segments, commits, what was met and how processes ended."""
    log, simulator = finished.log, finished.simulator
    digest = hashlib.sha256()
    for tp in log.tps():
        digest.update(repr((tp, log.read(tp, 0, log.end(tp)))).encode())
    ends = [(end.lane, end.process, str(end.error)) for end in simulator.ends]
    digest.update(repr((sorted(simulator.store.objects.items()), simulator.commits, simulator.met, ends)).encode())
    return digest.hexdigest()[:16]


def _chain(error: BaseException | None) -> list[str]:
    return [f"{type(error).__name__}: {error}", *_chain(error.__cause__)] if error else []
