"""Worlds that are made, and measured as `assay world report` does."""

from __future__ import annotations

from pathlib import Path

from assay.app.stores.objects import DirectoryStore
from assay.app.world.corridors import Measure, shipped_corridors
from assay.app.world.generation import generate_world
from assay.app.world.report import CORRIDOR, GROUP, report_world
from assay.engine.behaviour.campaign_document import Campaigns
from assay.engine.parameters import shipped

NOW_US = 1_790_000_000_000_000
Measures = dict[tuple[str, str], Measure]
#: group and name of every measure of a report; the corridor of campaigns is held against each template
NAMES: list[tuple[str, str]] = [
    (group, name)
    for group, corridors in dict(shipped_corridors()).items()
    for corridor in corridors
    for name in (shipped("tiny").of(Campaigns).laws if (group, corridor) == (GROUP, CORRIDOR) else [corridor])
]


def reported(folder: Path, scale: str, seed: int) -> Measures:
    """Make a world in `folder`/pack, write its page to `folder`/report.html, and give its measures by group and name."""
    store = DirectoryStore(folder / "pack")
    generate_world(store, scale, seed, 2, NOW_US)
    return {(one.group, one.name): one for one in report_world(store, folder / "report.html")}
