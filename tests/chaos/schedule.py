"""A longer run under many faults, drawn from a seed: the same seed gives the same faults in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from chaos.scenarios import BROKER, WORKERS, Scenario

#: a broker that is away for a minute is left out: the time goes to more faults
DRAWN = {name: scenario for name, scenario in {**WORKERS, **BROKER}.items() if not scenario.long}


def schedule(seed: int, count: int) -> Sequence[tuple[str, Scenario]]:
    """`count` faults; every kind comes once before any comes again."""
    random, drawn = Random(seed), list[str]()
    while len(drawn) < count:
        drawn += random.sample(sorted(DRAWN), len(DRAWN))
    return [(name, DRAWN[name]) for name in drawn[:count]]
