"""Digests of a world: of its rows, whatever the writer of its files does, and of its files by the version of the writer."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl

from assay.app.oracle.world_identity import column_digest
from assay.app.stores.objects import ObjectStore
from assay.app.world.generation import SEGMENTS
from assay.app.world.making import WorldMaker
from assay.app.world.warm import little_world
from assay.engine.identity import WorldIdentity, identity_of
from assay.engine.scenario import Scenario

#: one whose little bank has merchants that transfer money, so that it has laundering
SEED = 1
GOLDEN = Path(__file__).parent / "golden" / "world_rows.json"
#: version of the writer → output id → digest; those of earlier versions stay
GOLDEN_FILES = Path(__file__).parent / "golden" / "world_files.json"
WRITER = f"polars {pl.__version__}"


def identity(seed: int = SEED) -> WorldIdentity:
    """The identity of the little world."""
    parameters = little_world()
    return identity_of(seed, parameters.of(Scenario).scenario_id, parameters.hash, {})


def made(store: ObjectStore, workers: int = 2, seed: int = SEED) -> WorldMaker:
    """The little world in a store."""
    maker = WorldMaker(store, identity(seed), little_world(), SEGMENTS, workers=workers)
    maker.make()
    return maker


def row_digests(maker: WorldMaker) -> dict[str, str]:
    """Output id → sha256 hex over its columns and rows."""
    found = {}
    for output in (output for segment in SEGMENTS for output in segment.outputs):
        rows = maker.published.read(output.output_id, None, None)
        digests = [f"{series.name} {column_digest(_plain(series))}" for series in rows.iter_columns()]
        found[output.output_id] = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    return found


def file_digests(maker: WorldMaker) -> dict[str, str]:
    """Output id → sha256 hex over paths and bytes of its files."""
    found = {}
    for output in (output for segment in SEGMENTS for output in segment.outputs):
        files = [f"{part.path} {part.sha256}" for part in maker.published.parts(output.output_id)]
        found[output.output_id] = hashlib.sha256("\n".join(files).encode()).hexdigest()
    return found


def _plain(series: pl.Series) -> pl.Series:
    """The same values as integers or texts; a float as its bits."""
    if series.dtype == pl.Float64:
        return pl.Series(series.name, series.to_numpy().view(np.int64))
    if isinstance(series.dtype, pl.Enum):
        return series.cast(pl.String)
    return series.cast(pl.Int8) if series.dtype == pl.Boolean else series.cast(pl.Int64) if series.dtype.is_temporal() else series


if __name__ == "__main__":  # writes the digests again: a change of rows needs another RELEASE of the engine
    import tempfile

    from assay.app.stores.objects import DirectoryStore

    with tempfile.TemporaryDirectory() as room:
        world = made(DirectoryStore(Path(room)))
        GOLDEN.write_text(json.dumps(row_digests(world), indent=1) + "\n")
        known = json.loads(GOLDEN_FILES.read_text()) if GOLDEN_FILES.exists() else {}
        GOLDEN_FILES.write_text(json.dumps({**known, WRITER: file_digests(world)}, indent=1) + "\n")
