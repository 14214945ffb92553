"""A whole small bank, made once a process, and states of segment 6B that run on changed inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import polars as pl
from engine_worlds import EngineWorld

from assay.engine.behaviour.segment import SEGMENT_6B
from assay.engine.graph import SEGMENTS
from assay.engine.parameters import shipped
from assay.engine.segment import Scene, State, Verdict

#: output id → what the state reads in place of it
Changes = Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]]


@cache
def bank(seed: int = 7) -> EngineWorld:
    """The tiny world: 100,000 flows of 2,632 parties in 90 days."""
    return EngineWorld(shipped("tiny"), segments=SEGMENTS, seed=seed).made()


def rows(output_id: str) -> Any:
    """Rows of the bank without identity columns, words as text. A frame; its sums and means are of no static type."""
    tokens = ("seed", "manifest_fingerprint", "parameter_hash", "scenario_id")
    found = bank().table(output_id)
    return found.drop(*(token for token in tokens if token in found.columns)).with_columns(pl.col(pl.Enum).cast(pl.String))


def plan() -> Any:
    """The plan with the labels of its campaigns."""
    return rows("s3_campaign_plan_6B").join(rows("s3_campaign_catalogue_6B").select("campaign_id", "campaign_label"), on="campaign_id")


def state(name: str) -> State:
    """A state of 6B."""
    return next(state for state in SEGMENT_6B.states if state.name == name)


def made(name: str, changes: Changes, part: int = 0) -> Mapping[str, pl.DataFrame]:
    """What a state makes of changed inputs."""
    chosen = state(name)
    scene = changed(name, changes)
    if chosen.prepare is not None:
        scene = replace(scene, prepared=chosen.prepare(scene))
    return chosen.make(scene, part)


def verdict(name: str, changes: Changes) -> Verdict:
    """What a check of 6B says of changed outputs."""
    return next(check for check in SEGMENT_6B.checks if check.name == name).look(changed(name, changes))


def changed(place: str, changes: Changes) -> Scene:
    """The scene of a state or a check that reads other rows."""
    world = bank()

    def read(output_id: str, part: int | None, columns: Sequence[str] | None) -> pl.DataFrame:
        found = world.maker.published.read(output_id, part, None)
        if output_id in changes:
            found = changes[output_id](found)
        return found if columns is None else found.select(columns)

    return replace(world.scene(SEGMENT_6B, place), reader=read)
