"""What goes wrong in the run of a seed: at least three faults, drawn so that over many seeds each kind meets each boundary."""

from __future__ import annotations

from functools import cache
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


@cache
def cells() -> list[tuple[type[Fault], str]]:
    """Every kind of fault at every boundary, in an order that is mixed and always the same."""
    table = [(kind, boundary) for kind in FAULTS for boundary in BOUNDARIES]
    Random("cells").shuffle(table)
    return table


def schedule(seed: int) -> list[Planted]:
    """Three faults, where one seed goes on in the table of cells after the one before it, and up to two more of any cell."""
    random, table = Random(f"faults of {seed}"), cells()
    chosen = [table[(3 * seed + number) % len(table)] for number in range(3)]
    chosen += random.sample(table, random.randint(0, 2))
    planted: list[Planted] = []
    for kind, boundary in chosen:
        lane = random.choice(ONLY.get(boundary, LANES))
        occurrence = random.choice((1, 1, 1, 2)) if boundary in ONCE else random.randint(1, TIMES[lane])
        planted.append(Planted(_drawn(kind, random), lane, boundary, occurrence))
        if boundary in ONCE and occurrence > 1:  # there is no second start without an end
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
