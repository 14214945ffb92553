"""The scales of worlds, known without loading the engine's segments."""

from __future__ import annotations

from assay.engine.parameters import read_shipped

SCALES: tuple[str, ...] = tuple(read_shipped("scales.yaml"))
