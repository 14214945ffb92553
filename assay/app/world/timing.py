"""Makes a world to be measured and thrown away."""

from __future__ import annotations

from collections.abc import Callable

from assay.app.stores.objects import ObjectStore
from assay.app.world.generation import SEGMENTS
from assay.app.world.making import StateTime, WorldMaker
from assay.engine.identity import identity_of
from assay.engine.parameters import shipped
from assay.engine.scenario import Scenario

_LAST_WITHOUT_FLOWS = "6A"


def timed_world(
    store: ObjectStore, scale: str, seed: int, workers: int, parties: int, told: Callable[[str, int, int], object]
) -> list[StateTime]:
    """The times of all states; with `parties`, of those up to segment 6A for so many parties."""
    parameters = shipped(scale, {"scale": {"parties": parties}} if parties else None)
    identity = identity_of(seed, parameters.of(Scenario).scenario_id, parameters.hash, {})
    last = next(number for number, segment in enumerate(SEGMENTS) if segment.segment_id == _LAST_WITHOUT_FLOWS)
    segments = SEGMENTS[: last + 1] if parties else SEGMENTS
    return WorldMaker(store, identity, parameters, segments, workers=workers, told=told).make()
