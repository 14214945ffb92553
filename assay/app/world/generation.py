"""Makes a world of a shipped scale from nothing to its seal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.app.progress import unseen
from assay.app.stores.objects import ObjectStore
from assay.app.world.card import write_card
from assay.app.world.making import StateTime, WorldMaker
from assay.app.world.pack import seal, write_receipt
from assay.app.world.room import free_bytes, refuse_no_room
from assay.app.world.scales import SCALES
from assay.engine.graph import SEGMENTS
from assay.engine.identity import WorldIdentity, identity_of
from assay.engine.parameters import Parameters, sealed_digests, shipped
from assay.engine.scenario import Scenario
from assay.engine.segment import Segment

__all__ = ["SCALES", "SEGMENTS", "MadeWorld", "generate_world", "shipped_identity"]


@dataclass(frozen=True)
class MadeWorld:
    """What was made."""

    identity: WorldIdentity
    pack_id: str
    scale: str
    times: list[StateTime]

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        seconds = [
            {"segment": one.segment_id, "state": one.state, "seconds": round(one.seconds, 3), "rows": one.rows} for one in self.times
        ]
        tokens: dict[str, Any] = {**self.identity.tokens(), "seed": self.identity.seed}
        return {**tokens, "scale": self.scale, "oracle_pack_id": self.pack_id, "states": seconds}


def generate_world(
    store: ObjectStore,
    scale: str,
    seed: int,
    workers: int,
    now_us: int,
    told: Callable[[str, int, int], object] = unseen,
    segments: Sequence[Segment] = SEGMENTS,
    free: Callable[[Path], int] = free_bytes,
) -> MadeWorld:
    """Make, gate and seal a world; a call that was cut off goes on. `free`: bytes that the disk of a folder has left.

    Raises Stop as `WorldMaker` and `seal` do, and Retry(STORE_FULL) before anything is written where the disk has too little room.
    """
    parameters = shipped(scale)
    refuse_no_room(store, parameters, free)
    identity = shipped_identity(parameters, seed)
    write_receipt(store, identity, scale, now_us)
    maker = WorldMaker(store, identity, parameters, segments, workers=workers, told=told)
    times = maker.make()
    write_card(store, maker.published, identity, parameters, scale)
    return MadeWorld(identity, seal(store, segments, identity, now_us), scale, times)


def shipped_identity(parameters: Parameters, seed: int) -> WorldIdentity:
    """The identity of the world of a seed that this release makes of its shipped documents."""
    return identity_of(seed, parameters.of(Scenario).scenario_id, parameters.hash, sealed_digests())
