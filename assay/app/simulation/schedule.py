"""What goes wrong in the run of a seed: at least three faults, drawn so that over many seeds each kind meets each boundary."""

from __future__ import annotations

from random import Random

from assay.app.simulation.faults import (
    BOUNDARIES,
    FAULTS,
    ClockJump,
    Crash,
    Delay,
    Duplicate,
    FailedProduce,
    Fault,
    Freeze,
    Planted,
    Poison,
    Reorder,
    Rival,
    UnknownProduce,
)
from assay.app.simulation.poison import KINDS

#: lanes that come to a boundary; all do where none are named
LANES = ("rtdl", "act", "audit")
ONLY = {"effects_asked": ("act",), "effects_executed": ("act",), "claiming": ("rtdl", "act")}
#: a lane comes to these once in each of its processes, to the others with every batch
ONCE = ("recovering", "claiming")
#: how often a lane comes to a boundary at least; segments of the audit close by time
TIMES = {"rtdl": 8, "act": 8, "audit": 3}
DAY_US = 86_400_000_000


def cells() -> list[tuple[type[Fault], str]]:
    """Every kind of fault at every boundary, in an order in which neighbours differ in both."""
    return [(FAULTS[(row + column) % len(FAULTS)], BOUNDARIES[column]) for row in range(len(FAULTS)) for column in range(len(BOUNDARIES))]


def schedule(seed: int) -> list[Planted]:
    """Three to five faults. One seed goes on in the table of cells where the one before it left off."""
    random, table = Random(f"faults of {seed}"), cells()
    planted: list[Planted] = []
    for number in range(random.randint(3, 5)):
        kind, boundary = table[(5 * seed + number) % len(table)]
        lane = random.choice(ONLY.get(boundary, LANES))
        occurrence = random.choice((1, 1, 1, 2)) if boundary in ONCE else random.randint(1, TIMES[lane])
        planted.append(Planted(_drawn(kind, random), lane, boundary, occurrence))
        if boundary in ONCE and occurrence > 1:
            planted.append(Planted(Crash(), lane, random.choice(("fetched", "outputs_acknowledged")), random.randint(1, 4)))
    return planted


def _drawn(kind: type[Fault], random: Random) -> Fault:
    if kind is Freeze:
        return Freeze(random.choice((50_000, 400_000, 2_000_000)), random.random() < 0.5)
    if kind is UnknownProduce:
        return UnknownProduce(random.random() < 0.5, random.choice((0, 10_000, 1_000_000)))
    if kind is ClockJump:
        return ClockJump(random.choice((-1, 1)) * random.choice((1_000_000, 3_600_000_000, DAY_US)))
    if kind is Poison:
        return Poison(random.choice(sorted(KINDS)))
    if kind is Duplicate:
        return Duplicate(random.randint(1, 50))
    if kind is Delay:
        return Delay(random.choice((20_000, 200_000, 1_000_000)))
    if kind is Reorder:
        return Reorder(random.randint(3, 40), random.choice((50_000, 500_000)))
    assert kind in (Crash, Rival, FailedProduce)
    return kind()
