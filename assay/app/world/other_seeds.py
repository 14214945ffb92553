"""Campaigns of the same bank under other seeds: planned without payments in a folder that is thrown away."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from assay.app.progress import unseen
from assay.app.stores.objects import DirectoryStore, ObjectStore
from assay.app.world.campaigns import CATALOGUE, PLAN, campaign_figures
from assay.app.world.generation import SEGMENTS, shipped_identity
from assay.app.world.making import WorldMaker
from assay.app.world.publication import Publication
from assay.engine.identity import SEED_MAX, WorldIdentity
from assay.engine.parameters import Parameters
from assay.engine.segment import Segment

#: scale → other seeds that a report plans by itself; larger scales have none unless they are asked for
OTHERS = {"tiny": 8, "small": 8}
WORKERS = 2


def figures_of_others(
    parameters: Parameters, seed: int, count: int, told: Callable[[str, int, int], object] = unseen
) -> Iterator[pl.DataFrame]:
    """`campaign_figures` of the next `count` seeds, one after another. `told`: (what, parts done, parts) of all of them."""
    segments = needed_for((CATALOGUE, PLAN))
    for number in range(count):
        other = (seed + 1 + number) % (SEED_MAX + 1)

        def of_all(_: str, done: int, parts: int, number: int = number, other: int = other) -> None:
            told(f"campaigns of seed {other}", number * parts + done, count * parts)

        with tempfile.TemporaryDirectory() as room:
            yield campaign_figures(plans(DirectoryStore(Path(room)), shipped_identity(parameters, other), parameters, segments, of_all))


def plans(
    store: ObjectStore,
    identity: WorldIdentity,
    parameters: Parameters,
    segments: Sequence[Segment],
    told: Callable[[str, int, int], object] = unseen,
) -> Publication:
    """Make some segments of a world, and give what they published."""
    maker = WorldMaker(store, identity, parameters, segments, workers=WORKERS, told=told)
    maker.make()
    return maker.published


def needed_for(outputs: Collection[str], segments: Sequence[Segment] = SEGMENTS) -> tuple[Segment, ...]:
    """The segments with only those states without which some outputs cannot be made. They have no checks: nobody reads their world."""
    wanted, found = {*outputs}, list[Segment]()
    for segment in reversed(segments):
        states = []
        for state in reversed(segment.states):
            if wanted & {output.output_id for output in state.outputs}:
                states.append(state)
                wanted |= {*state.inputs}
        if states:
            found.append(replace(segment, states=tuple(reversed(states)), checks=()))
    return tuple(reversed(found))
