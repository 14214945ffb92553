"""Small worlds of the data engine's layers 1 and 2, made once a process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, cast

import polars as pl

from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.app.world.bundles import published_parts
from assay.app.world.making import WorldMaker
from assay.engine.arrivals.segment import LAYER_2
from assay.engine.identity import WorldIdentity, identity_of
from assay.engine.parameters import Parameters, shipped
from assay.engine.places.segment import LAYER_1
from assay.engine.scenario import Scenario
from assay.engine.segment import Scene, Segment

SEGMENTS = LAYER_1 + LAYER_2
SIZE = {"flows": 20_000, "merchants": 60, "part_flows": 4_000}


def parameters(changes: Mapping[str, Mapping[str, Any]] | None = None) -> Parameters:
    """The shipped parameters at a size for tests."""
    return shipped("tiny", {**(changes or {}), "scale": {**SIZE, **(changes or {}).get("scale", {})}})


def identity(given: Parameters, seed: int = 7) -> WorldIdentity:
    """The identity of a world."""
    return identity_of(seed, given.of(Scenario).scenario_id, given.hash, {})


class Objects:
    """An object store in memory, as far as a world needs one; tests change what lies in it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def create(self, key: str, data: bytes) -> None:
        if key in self.objects:
            raise ObjectExists(key)
        self.objects[key] = data

    def read(self, key: str) -> bytes:
        if key not in self.objects:
            raise FileNotFoundError(key)
        return self.objects[key]

    def flip(self, key: str) -> None:
        """Change one bit in the middle of an object."""
        data = bytearray(self.objects[key])
        data[len(data) // 2] ^= 1
        self.objects[key] = bytes(data)


class EngineWorld:
    """A made world, and what it was made with."""

    def __init__(
        self,
        given: Parameters,
        *,
        workers: int = 1,
        segments: Sequence[Segment] = SEGMENTS,
        seed: int = 7,
        store: Objects | None = None,
    ) -> None:
        self.parameters, self.segments = given, segments
        self.identity = identity(given, seed)
        self.store: Any = Objects() if store is None else store
        self.maker = WorldMaker(cast(ObjectStore, self.store), self.identity, given, segments, workers=workers)

    def made(self) -> EngineWorld:
        """Make it."""
        self.maker.make()
        return self

    def table(self, output_id: str, part: int | None = None) -> pl.DataFrame:
        """Rows of an output."""
        return self.maker.published.read(output_id, part, None)

    def scene(self, segment: Segment, place: str) -> Scene:
        """What a state of a segment sees, with every output as an input."""
        every = tuple(output.output_id for one in self.segments for output in one.outputs)
        return Scene(self.identity, self.parameters, segment, place, every, self.maker.published.read)

    def made_otherwise(self, segment: Segment) -> Iterator[tuple[str, str, int]]:
        """Outputs and parts whose rows are others when a segment's parts are made again, the last first, by state."""
        for state in segment.states:
            scene = self.scene(segment, state.name)
            scene = replace(scene, prepared=None if state.prepare is None else state.prepare(scene))
            for part in reversed(range(state.parts(self.parameters))):
                made = state.make(scene, part)
                for output in state.outputs:
                    if not output.conformed(made[output.output_id], self.identity).equals(self.table(output.output_id, part)):
                        yield state.name, output.output_id, part

    def digests(self) -> dict[str, str]:
        """Path → digest of every part."""
        parts = [part for segment in self.segments for part in published_parts(self.store, segment, self.identity)]
        return {part.path: part.sha256 for part in parts}


@cache
def small_world() -> EngineWorld:
    """20,000 arrivals of 60 merchants in the scenario's 90 days."""
    return EngineWorld(parameters()).made()
