"""Measures a sealed world and writes its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from assay.app.progress import unseen
from assay.app.stores.durable import replace_file
from assay.app.stores.objects import ObjectStore
from assay.app.world.campaigns import Distance, campaign_figures, distances
from assay.app.world.card import counts_of
from assay.app.world.corridors import Corridors, Measure, shipped_corridors
from assay.app.world.difficulty import difficulty, is_measurable
from assay.app.world.generation import shipped_identity
from assay.app.world.measures import measured, taken
from assay.app.world.other_seeds import OTHERS, figures_of_others
from assay.app.world.pack import identity_in
from assay.app.world.payments import payments_of, sealed_view
from assay.app.world.world_page import world_page
from assay.engine.graph import SEGMENTS
from assay.engine.identity import WorldIdentity
from assay.engine.parameters import shipped

#: more payments than this are not asked how hard their fraud is to find
PAYMENTS_MAX = 300_000
GROUP, CORRIDOR = "campaigns", "target_distance"


def report_world(
    store: ObjectStore, page: Path, seeds: int | None = None, told: Callable[[str, int, int], object] = unseen
) -> list[Measure]:
    """Write the page of a sealed world, and give its measures. Raises Stop as the seal and the gates do.

    seeds: other seeds whose campaigns are planned, as a yardstick for the distance to targets; 0 leaves that out, None is `OTHERS`.
    """
    view = sealed_view(store, SEGMENTS)
    identity, scale = identity_in(store)
    corridors = shipped_corridors()
    figures = campaign_figures(view)
    found, missing = compared(identity, scale, figures, OTHERS.get(scale, 0) if seeds is None else seeds, told)
    rows = measured(view)
    measures = list(taken(rows, corridors))
    if is_measurable():
        measures += difficulty(payments_of(view, PAYMENTS_MAX), corridors)
    measures += held(found, corridors)
    replace_file(page, world_page(identity, scale, rows, measures, counts_of(view), figures, found, missing).encode())
    return measures


def compared(
    identity: WorldIdentity, scale: str, own: pl.DataFrame, seeds: int, told: Callable[[str, int, int], object] = unseen
) -> tuple[list[Distance], str]:
    """The distances of a world's campaigns, else none and why."""
    if not seeds:
        return [], "Not measured: it takes the campaigns of other seeds. `assay world report PLACE --seeds 8` plans those of eight."
    parameters = shipped(scale)
    if shipped_identity(parameters, identity.seed) != identity:
        return [], "Not measured: another release made this world, so this one cannot plan other seeds of it."
    return list(distances(own, list(figures_of_others(parameters, identity.seed, seeds, told)))), ""


def held(found: list[Distance], corridors: Corridors) -> list[Measure]:
    """Each distance in its corridor."""
    return [Measure(GROUP, one.label, one.ratio, *corridors.of(GROUP, CORRIDOR)) for one in found]
