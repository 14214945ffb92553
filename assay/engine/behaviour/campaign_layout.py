"""Campaigns before their flows: instances of templates, their windows, and how many flows each gets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.codecs.kernel import frozen, kernel
from assay.engine.behaviour.campaign_document import Campaigns, Motif, Template
from assay.engine.identity import WorldIdentity
from assay.engine.philox import below, chosen, one
from assay.engine.scenario import DAY_US, Scenario
from assay.engine.segment import Scene


@dataclass(frozen=True)
class Campaign:
    """An instance of a template. windows_us: their starts; flows: planned."""

    campaign_id: str
    label: str
    law: Template | Motif
    keys: NDArray[np.uint64]
    windows_us: NDArray[np.int64]
    window_us: int
    flows: int


def campaigns_of(scene: Scene, flows: int) -> list[Campaign]:
    """All campaigns of a world of so many flows, in order of their labels and instances. Each has flows for an episode or more."""
    document, scenario = scene.parameters.of(Campaigns), scene.parameters.of(Scenario)
    found = []
    for label, law in document.laws.items():
        key, days = scene.key(label), min(law.windows.days, scenario.days)
        instances = _instances(_drawn(key, law.instances), law.share * flows / law.target.burst_flows)
        ends = [0, *(round(law.share * flows * (number + 1) / instances) for number in range(instances))]
        for number in range(instances):
            starts = np.zeros(law.windows.count, np.int64)
            _window_days(key, 1 + number, scenario.days, days, starts)
            keys = np.array([scene.key(f"{label} {number} {what}") for what in ("crews", "episodes", "flows")])
            windows = frozen(scenario.start_us + starts * DAY_US, np.int64)
            name = campaign_id(scene.identity, label, number)
            found.append(Campaign(name, label, law, keys, windows, days * DAY_US, ends[number + 1] - ends[number]))
    return [campaign for campaign in found if campaign.flows]


def campaign_id(identity: WorldIdentity, label: str, instance: int) -> str:
    """64 hex digits of sha256 over manifest, parameters, seed, scenario, template and instance."""
    named = (identity.manifest_fingerprint, identity.parameter_hash, str(identity.seed), identity.scenario_id, label, str(instance))
    return hashlib.sha256(":".join(named).encode()).hexdigest()


def _instances(drawn: int, episodes: float) -> int:
    """As many as drawn, with an episode for each; two at least where one episode is wanted, so that a kind is seen twice."""
    return max(2 if episodes >= 1 else 1, min(drawn, int(episodes)))


def _drawn(key: np.uint64, weights: Mapping[int, float]) -> int:
    ordered = sorted(weights.items())
    out = np.zeros(1, np.int64)
    _place(key, frozen(np.cumsum(np.array([weight for _, weight in ordered])), np.float64), out)
    return ordered[int(out[0])][0]


@kernel
def _place(key: np.uint64, ends: NDArray[np.float64], out: NDArray[np.int64]) -> None:
    out[0] = chosen(one(key, 0, 0), ends, 0, len(ends))


@kernel
def _window_days(key: np.uint64, row: int, horizon: int, days: int, out: NDArray[np.int64]) -> None:
    """The first days of windows: one in each of equal stretches of the horizon, at any place in it."""
    count = len(out)
    for number in range(count):
        low, high = horizon * number // count, horizon * (number + 1) // count
        room = max(high - low - days, 0) + 1
        out[number] = min(low + below(one(key, row, number), room), horizon - days)
