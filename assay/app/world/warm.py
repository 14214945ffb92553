"""Compiles every kernel of the data engine: a world of a few thousand flows is made and thrown away."""

from __future__ import annotations

import tempfile
from pathlib import Path

from assay.app.stores.objects import DirectoryStore
from assay.app.world.generation import SEGMENTS
from assay.app.world.making import WorldMaker
from assay.engine.identity import identity_of
from assay.engine.parameters import Parameters, shipped
from assay.engine.scenario import Scenario

#: small, and still with two parts of time and of parties
SIZE = {"flows": 6000, "parties": 600, "merchants": 40, "part_flows": 3000, "part_parties": 300}


def little_world() -> Parameters:
    """Parameters of the smallest world whose checks hold."""
    return shipped("tiny", {"scale": SIZE})


def warm_engine() -> int:
    """Make the little world; how many rows it has."""
    parameters = little_world()
    identity = identity_of(1, parameters.of(Scenario).scenario_id, parameters.hash, {})
    with tempfile.TemporaryDirectory() as room:
        return sum(one.rows for one in WorldMaker(DirectoryStore(Path(room)), identity, parameters, SEGMENTS, workers=2).make())
