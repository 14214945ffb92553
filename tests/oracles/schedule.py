"""What goes wrong in the run of a seed: faults drawn so that over many seeds each kind meets each boundary of each lane."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from random import Random
from typing import NamedTuple

from assay.agents.specs import JournalTopic
from assay.agents.topology import TOPOLOGY
from assay.app.simulation import faults
from assay.app.simulation.faults import BOUNDARIES, DAMAGES, FAULTS, OVERTAKINGS, Fault, Planted
from assay.app.simulation.poison import KINDS

LANES = tuple(lane.name for lane in TOPOLOGY.lanes)
#: lanes with an effector, lanes whose writer claims a journal topic, and lanes with snapshots, which standbys take
WITH_EFFECTS = tuple(lane.name for lane in TOPOLOGY.lanes if lane.effector)
WITH_CLAIMS = tuple(lane.name for lane in TOPOLOGY.lanes if isinstance(lane.journal, JournalTopic))
WITH_SNAPSHOTS = tuple(lane.name for lane in TOPOLOGY.lanes if lane.snapshots)
#: lanes that come to a boundary; all lanes come to a boundary that is not here
ONLY = {"effects_asked": WITH_EFFECTS, "effects_executed": WITH_EFFECTS, "claiming": WITH_CLAIMS, "snapshotting": WITH_SNAPSHOTS}
#: kinds of faults that are about snapshots
ABOUT_SNAPSHOTS = (faults.TornSnapshot, faults.SlowSnapshot)
#: a lane comes to these once in each of its processes, to the others with every batch
ONCE = ("recovering", "claiming")
#: how often a lane comes to a boundary at least; segments close by time
TIMES = {lane.name: 8 if isinstance(lane.journal, JournalTopic) else 2 for lane in TOPOLOGY.lanes}
#: where a lane ends, and from which to which occurrence, so that it starts once more; mostly it has two snapshots by then
ENDS_SOON = (("fetched", 1, 4), ("outputs_acknowledged", 1, 4))
ENDS_LATE = (("outputs_acknowledged", 7, 9), ("outputs_acknowledged", 11, 14))
#: cells of the table that a seed takes; up to one more is drawn from all of them
CELLS_OF_A_SEED = 5
DAY_US = 86_400_000_000

#: damage that nothing else tells is drawn more often
ONLY_BY_DIGEST = ("part_flipped", "part_flipped")
#: how each kind of fault is drawn
DRAWN: Mapping[type[Fault], Callable[[Random], Fault]] = {
    faults.Freeze: lambda random: faults.Freeze(random.choice((50_000, 400_000, 2_000_000)), random.random() < 0.5),
    faults.CutOff: lambda random: faults.CutOff(random.choice((50_000, 400_000, 2_000_000))),
    faults.UnknownProduce: lambda random: faults.UnknownProduce(random.random() < 0.5, random.choice((0, 10_000, 1_000_000))),
    faults.ClockJump: lambda random: faults.ClockJump(random.choice((-1, 1)) * random.choice((1_000_000, 3_600_000_000, DAY_US))),
    faults.Poison: lambda random: faults.Poison(random.choice(sorted(KINDS))),
    faults.Duplicate: lambda random: faults.Duplicate(random.randint(1, 50)),
    faults.Delay: lambda random: faults.Delay(random.choice((20_000, 200_000, 1_000_000))),
    faults.Reorder: lambda random: faults.Reorder(random.randint(3, 40), random.choice((50_000, 500_000))),
    faults.TornSnapshot: lambda random: faults.TornSnapshot(random.choice((*DAMAGES, *ONLY_BY_DIGEST))),
    faults.SlowSnapshot: lambda random: faults.SlowSnapshot(random.choice((50_000, 400_000, 1_500_000)), random.choice(OVERTAKINGS)),
    faults.Crash: lambda random: faults.Crash(),
    faults.Rival: lambda random: faults.Rival(),
    faults.FailedProduce: lambda random: faults.FailedProduce(),
}


class Cell(NamedTuple):
    """A kind of fault where it can happen."""

    kind: type[Fault]
    lane: str
    boundary: str


def boundaries(lane: str) -> list[str]:
    """The boundaries that a lane comes to."""
    return [boundary for boundary in BOUNDARIES if lane in ONLY.get(boundary, LANES)]


def lanes(kind: type[Fault]) -> tuple[str, ...]:
    """The lanes that a kind of fault can happen to."""
    return WITH_SNAPSHOTS if kind in ABOUT_SNAPSHOTS else LANES


def wants_standbys(planted: Iterable[Planted]) -> bool:
    """Whether some of it can only happen where snapshots are taken."""
    return any(one.boundary == "snapshotting" or isinstance(one.fault, ABOUT_SNAPSHOTS) for one in planted)


@cache
def cells() -> list[Cell]:
    """Every kind of fault at every boundary of every lane, in an order that is mixed and always the same."""
    table = [Cell(kind, lane, boundary) for kind in FAULTS for lane in lanes(kind) for boundary in boundaries(lane)]
    Random("cells").shuffle(table)
    return table


def schedule(seed: int) -> list[Planted]:
    """Faults of some cells, where one seed goes on in the table behind the one before it, and of up to one more."""
    random, table = Random(f"faults of {seed}"), cells()
    chosen = [table[(CELLS_OF_A_SEED * seed + number) % len(table)] for number in range(CELLS_OF_A_SEED)]
    chosen += random.sample(table, random.randint(0, 1))
    planted: list[Planted] = []
    for kind, lane, boundary in chosen:
        occurrence = _occurrence(kind, lane, boundary, random)
        planted.append(Planted(DRAWN[kind](random), lane, boundary, occurrence))
        if boundary in ONCE and occurrence > 1:  # there is no second start without an end
            ends = ENDS_LATE if kind is faults.TornSnapshot else (random.choice(ENDS_SOON),)
            planted += [Planted(faults.Crash(), lane, where, random.randint(first, last)) for where, first, last in ends]
    return planted


def _occurrence(kind: type[Fault], lane: str, boundary: str, random: Random) -> int:
    if boundary in ONCE:
        return 2 if kind is faults.TornSnapshot else random.choice((1, 1, 1, 2))
    return random.randint(1, TIMES[lane])
