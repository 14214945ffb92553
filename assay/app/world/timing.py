"""Makes a world to be measured and thrown away."""

from __future__ import annotations

from collections.abc import Callable

from assay.app.stores.objects import DirectoryStore
from assay.app.world.generation import SEGMENTS
from assay.app.world.making import StateTime, WorldMaker
from assay.app.world.room import refuse_no_room
from assay.engine.identity import identity_of
from assay.engine.parameters import shipped
from assay.engine.scenario import Scenario

_LAST_WITHOUT_FLOWS = "6A"


#: flows of a party at every shipped scale
_FLOWS_PER_PARTY = 38


def timed_world(
    store: DirectoryStore,
    scale: str,
    seed: int,
    workers: int,
    told: Callable[[str, int, int], object],
    *,
    parties: int = 0,
    flows: int = 0,
    discard: bool = False,
) -> list[StateTime]:
    """The times of all states; with `parties`, of those up to segment 6A for so many parties. `flows`: in place of the scale's own.

    `discard`: remove each part once nobody reads it again. Raises Retry(STORE_FULL) where a whole world that is kept has no room.
    """
    parameters = shipped(scale, {"scale": _size(parties, flows)} if parties or flows else None)
    identity = identity_of(seed, parameters.of(Scenario).scenario_id, parameters.hash, {})
    last = next(number for number, segment in enumerate(SEGMENTS) if segment.segment_id == _LAST_WITHOUT_FLOWS)
    segments = SEGMENTS[: last + 1] if parties else SEGMENTS
    if not parties and not discard:
        refuse_no_room(store, parameters)
    drop = store.remove if discard else None
    return WorldMaker(store, identity, parameters, segments, workers=workers, told=told, drop=drop).make()


def _size(parties: int, flows: int) -> dict[str, int]:
    return {"parties": parties} if parties else {"flows": flows, "parties": max(flows // _FLOWS_PER_PARTY, 1)}
