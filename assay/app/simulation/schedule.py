"""What goes wrong in the run of a seed: faults drawn so that over many seeds each kind meets each boundary of each lane."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import NamedTuple

from assay.app.simulation import faults
from assay.app.simulation.faults import BOUNDARIES, FAULTS, Fault, Planted
from assay.app.simulation.poison import KINDS

LANES = ("rtdl", "act", "audit")
#: lanes that come to a boundary; all do where none are named
ONLY = {"effects_asked": ("act",), "effects_executed": ("act",), "claiming": ("rtdl", "act")}
#: a lane comes to these once in each of its processes, to the others with every batch
ONCE = ("recovering", "claiming")
#: how often a lane comes to a boundary at least; segments of the audit close by time
TIMES = {"rtdl": 8, "act": 8, "audit": 2}
#: cells of the table that a seed takes; up to one more is drawn from all of them
CELLS_OF_A_SEED = 4
DAY_US = 86_400_000_000


class Cell(NamedTuple):
    """A kind of fault where it can happen."""

    kind: type[Fault]
    lane: str
    boundary: str


def boundaries(lane: str) -> list[str]:
    """The boundaries that a lane comes to."""
    return [boundary for boundary in BOUNDARIES if lane in ONLY.get(boundary, LANES)]


@cache
def cells() -> list[Cell]:
    """Every kind of fault at every boundary of every lane, in an order that is mixed and always the same."""
    table = [Cell(kind, lane, boundary) for kind in FAULTS for lane in LANES for boundary in boundaries(lane)]
    Random("cells").shuffle(table)
    return table


def schedule(seed: int) -> list[Planted]:
    """Faults of some cells, where one seed goes on in the table behind the one before it, and of up to one more."""
    random, table = Random(f"faults of {seed}"), cells()
    chosen = [table[(CELLS_OF_A_SEED * seed + number) % len(table)] for number in range(CELLS_OF_A_SEED)]
    chosen += random.sample(table, random.randint(0, 1))
    planted: list[Planted] = []
    for kind, lane, boundary in chosen:
        occurrence = random.choice((1, 1, 1, 2)) if boundary in ONCE else random.randint(1, TIMES[lane])
        planted.append(Planted(_drawn(kind, random), lane, boundary, occurrence))
        if boundary in ONCE and occurrence > 1:  # there is no second start without an end
            planted.append(Planted(faults.Crash(), lane, random.choice(("fetched", "outputs_acknowledged")), random.randint(1, 4)))
    return planted


def _drawn(kind: type[Fault], random: Random) -> Fault:
    if kind is faults.Freeze:
        return faults.Freeze(random.choice((50_000, 400_000, 2_000_000)), random.random() < 0.5)
    if kind is faults.CutOff:
        return faults.CutOff(random.choice((50_000, 400_000, 2_000_000)))
    if kind is faults.UnknownProduce:
        return faults.UnknownProduce(random.random() < 0.5, random.choice((0, 10_000, 1_000_000)))
    if kind is faults.ClockJump:
        return faults.ClockJump(random.choice((-1, 1)) * random.choice((1_000_000, 3_600_000_000, DAY_US)))
    if kind is faults.Poison:
        return faults.Poison(random.choice(sorted(KINDS)))
    if kind is faults.Duplicate:
        return faults.Duplicate(random.randint(1, 50))
    if kind is faults.Delay:
        return faults.Delay(random.choice((20_000, 200_000, 1_000_000)))
    if kind is faults.Reorder:
        return faults.Reorder(random.randint(3, 40), random.choice((50_000, 500_000)))
    assert kind in (faults.Crash, faults.Rival, faults.FailedProduce)
    return kind()
