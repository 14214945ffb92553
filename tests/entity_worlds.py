"""Segment 6A over planted merchants: made in memory, state by state, or by the product's own maker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from small_graph import TEXT_GATE

from assay.app.stores.objects import ObjectStore
from assay.app.world.making import WorldMaker
from assay.engine.arrivals.segment import PROFILE
from assay.engine.entities.segment import SEGMENT_6A
from assay.engine.identity import WorldIdentity, identity_of
from assay.engine.output import Output
from assay.engine.parameters import Parameters, shipped
from assay.engine.places.segment import OUTLET_CATALOGUE
from assay.engine.segment import Scene, Segment, State

#: country → outlets; one region has two
OUTLETS = {"BR": 30, "DE": 120, "GB": 200, "JP": 60, "NG": 25, "US": 160}
CLASSES = ("GENERAL_RETAIL", "MONEY_SERVICES", "HIGH_CHARGEBACK_RISK", "HOSPITALITY", "TRAVEL")
Frames = dict[tuple[str, int], pl.DataFrame]


def parameters_of(parties: int, part_parties: int = 1_500, changes: Mapping[str, Mapping[str, Any]] | None = None) -> Parameters:
    """Shipped parameters with so many parties."""
    return shipped("tiny", {"scale": {"parties": parties, "part_parties": part_parties}, **(changes or {})})


def catalogue(scene: Scene | None = None, part: int = 0) -> Mapping[str, pl.DataFrame]:
    """60 merchants whose outlets stand in the countries above."""
    country = np.repeat([*OUTLETS], [*OUTLETS.values()])
    rows = len(country)
    merchant = np.arange(rows) % 60
    made = pl.DataFrame(
        {
            "merchant_id": pl.Series(merchant * 7_919 + 1_000).cast(pl.UInt64),
            "mcc_class": [CLASSES[i % len(CLASSES)] for i in merchant],
            "demand_class": ["consumer_daytime"] * rows,
            "channel": ["POS"] * rows,
            "home_country_iso": [[*OUTLETS][i % len(OUTLETS)] for i in merchant],
            "country_iso": country,
            "site_order": np.arange(rows) + 1,
            "site_id": pl.Series(np.arange(rows) + 1).cast(pl.UInt64),
        }
    )
    return {OUTLET_CATALOGUE.output_id: made}


def profile(scene: Scene | None = None, part: int = 0) -> Mapping[str, pl.DataFrame]:
    """Arrivals of a merchant in each of the countries."""
    zones = {"BR": "America/Sao_Paulo", "DE": "Europe/Berlin", "GB": "Europe/London", "JP": "Asia/Tokyo"}
    zones |= {"NG": "Africa/Lagos", "US": "America/New_York"}
    made = pl.DataFrame(
        {
            "merchant_id": pl.Series([1_000] * 6).cast(pl.UInt64),
            "country_iso": [*OUTLETS],
            "tzid": [zones[country] for country in OUTLETS],
            "demand_class": ["consumer_daytime"] * 6,
            "weekly_volume": [count * 10.5 for count in OUTLETS.values()],
        }
    )
    return {PROFILE.output_id: made}


PLANTED = (
    Segment("1A", 1, (), (State("S8", (), (OUTLET_CATALOGUE,), catalogue),), (), TEXT_GATE),
    Segment("5A", 2, ("1A",), (State("S3", (), (PROFILE,), profile),), (), TEXT_GATE),
)


def maker(store: ObjectStore, parameters: Parameters, workers: int = 1) -> WorldMaker:
    """The product's maker over planted merchants and 6A."""
    return WorldMaker(store, identity(parameters), parameters, (*PLANTED, SEGMENT_6A), workers=workers)


def identity(parameters: Parameters, seed: int = 7) -> WorldIdentity:
    """The identity of a world of these parameters."""
    return identity_of(seed, "baseline_v1", parameters.hash, {})


@dataclass
class World:
    """Rows of 6A by output and part."""

    parameters: Parameters
    frames: Frames

    def rows(self, output: Output) -> pl.DataFrame:
        """All rows of an output."""
        return pl.concat([frame for (name, _), frame in sorted(self.frames.items(), key=lambda item: item[0]) if name == output.output_id])

    def scene(self, place: str, inputs: Sequence[str], named: WorldIdentity, prepared: Any = None) -> Scene:
        """What a state or a check sees."""
        return Scene(named, self.parameters, SEGMENT_6A, place, tuple(inputs), self.read, prepared)

    def read(self, output_id: str, part: int | None, columns: Sequence[str] | None) -> pl.DataFrame:
        """Rows of a part or of all."""
        if part is None:
            found = pl.concat([frame for (name, _), frame in sorted(self.frames.items(), key=lambda item: item[0]) if name == output_id])
        else:
            found = self.frames[output_id, part]
        return found if columns is None else found.select(columns)


def made_in_memory(parameters: Parameters, named: WorldIdentity | None = None, *, backwards: bool = False) -> World:
    """6A without a store; `backwards`: the last part of each state first."""
    named = named or identity(parameters)
    world = World(parameters, {})
    for name, frame in {**catalogue(), **profile()}.items():
        world.frames[name, 0] = frame
    for state in SEGMENT_6A.states:
        scene = world.scene(state.name, state.inputs, named)
        scene = replace(scene, prepared=state.prepare(scene) if state.prepare else None)
        parts = range(state.parts(parameters))
        for part in reversed(parts) if backwards else parts:
            for output_id, frame in state.make(scene, part).items():
                output = next(one for one in state.outputs if one.output_id == output_id)
                world.frames[output_id, part] = output.conformed(frame, named).drop(output.identity)
    return world


@cache
def entity_world(parties: int = 12_000) -> World:
    """A world that tests of distributions share."""
    return made_in_memory(parameters_of(parties))


def mean(column: pl.Series) -> float:
    """The mean of a column of numbers or of truths."""
    return float(column.to_numpy().mean())


def spread(column: pl.Series) -> float:
    """The standard deviation of a column of numbers."""
    return float(column.to_numpy().std())


def ends(column: pl.Series) -> tuple[int, int]:
    """The least and the greatest number of a column."""
    return int(column.to_numpy().min()), int(column.to_numpy().max())
