"""Runs that a seed decides: a world, its pacing, and what goes wrong where."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random

from simulated_worlds import Finished, World, config, decision_digest, given, inputs, run, troubled_world

from assay.app.lanes import partition_counts
from assay.app.simulated_lanes import KeyedEffector, simulated_lanes
from assay.app.simulation.checks import violations
from assay.app.simulation.faults import Planted
from assay.app.simulation.log import ModelLog
from assay.app.simulation.schedule import schedule
from assay.app.simulator import Simulator

#: worlds are shared by seeds, so that each is run undisturbed only once
WORLDS = 5


@cache
def world(number: int) -> World:
    return troubled_world(number)


@cache
def undisturbed(number: int) -> str:
    """The decision digest of a world when nothing goes wrong and everything is there before it begins."""
    return decision_digest(run(world(number), rows_max=5_000).log)


def run_seed(seed: int, faults: Sequence[Planted] | None = None) -> Finished:
    """The run of a seed, under its own faults if none are given."""
    random, given_world = Random(seed), world(seed % WORLDS)
    partitions, rows_max = random.choice((1, 3)), random.choice((12, 40, 5_000))
    log, effector = ModelLog(), KeyedEffector()
    lanes = simulated_lanes(config(), partition_counts(partitions), effector.execute, rows_max)
    planted = schedule(seed) if faults is None else faults
    feed, standbys = inputs(given_world, partitions, 20), random.random() < 0.5
    simulator = Simulator(lanes, log, seed, planted, fetch_max=200, feed=feed, lot_max=100, standbys=standbys)
    simulator.run()
    return Finished(log, simulator, effector)


def violated(seed: int, finished: Finished) -> list[str]:
    """What is wrong with the run of a seed."""
    expected = given(world(seed % WORLDS), finished, undisturbed(seed % WORLDS))
    return violations(finished.simulator, expected, finished.effector)
