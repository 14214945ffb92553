"""The scales of worlds, known without loading the engine's segments."""

from __future__ import annotations

from assay.engine.parameters import read_shipped, shipped

SCALES: tuple[str, ...] = tuple(read_shipped("scales.yaml"))


def scale_of(parameter_hash: str) -> str:
    """The scale whose parameters have a hash; empty where this version of assay has none."""
    return next((scale for scale in SCALES if shipped(scale).hash == parameter_hash), "")
