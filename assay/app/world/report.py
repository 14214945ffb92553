"""Measures a sealed world and writes its page."""

from __future__ import annotations

from pathlib import Path

from assay.app.stores.durable import replace_file
from assay.app.stores.objects import ObjectStore
from assay.app.world.card import counts_of
from assay.app.world.corridors import Measure, shipped_corridors
from assay.app.world.difficulty import difficulty, is_measurable
from assay.app.world.measures import campaign_figures, measured, taken
from assay.app.world.pack import identity_in
from assay.app.world.payments import payments_of, sealed_view
from assay.app.world.world_page import world_page
from assay.engine.graph import SEGMENTS

#: more payments than this are not asked how hard their fraud is to find
PAYMENTS_MAX = 300_000


def report_world(store: ObjectStore, page: Path) -> list[Measure]:
    """Write the page of a sealed world, and give its measures. Raises Stop as the seal and the gates do."""
    view = sealed_view(store, SEGMENTS)
    identity, scale = identity_in(store)
    corridors = shipped_corridors()
    rows = measured(view)
    measures = list(taken(rows, corridors))
    if is_measurable():
        measures += difficulty(payments_of(view, PAYMENTS_MAX), corridors)
    replace_file(page, world_page(identity, scale, rows, measures, counts_of(view), campaign_figures(view)).encode())
    return measures
