"""5B S3: how many arrivals each cell has in each hour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from assay.codecs.kernel import frozen
from assay.engine.arrivals.cells import Cells, cells_of
from assay.engine.arrivals.process import count_arrivals
from assay.engine.draws import Floats
from assay.engine.output import worded
from assay.engine.philox import stream_key
from assay.engine.places.documents import zone_words
from assay.engine.quantiles import exponential
from assay.engine.scenario import Scenario
from assay.engine.segment import Scene


def arrival_key(scene: Scene) -> np.uint64:
    """The key of the arrivals' draws, which S3 and S4 share."""
    tokens = scene.identity.tokens()
    return stream_key(*(tokens[name] for name in scene.segment.seed_path), scene.segment.segment_id, "arrivals")


def intensity_of(scene: Scene, cells: Cells) -> Floats:
    """λ by cell and hour, as S2 published it."""
    published = scene.table("s2_realised_intensity_5B", None, ["lambda_realised"])["lambda_realised"]
    return frozen(published.to_numpy().reshape(len(cells.zone), scene.parameters.of(Scenario).hours), np.float64)


def bucket_counts(scene: Scene, _: int) -> Mapping[str, pl.DataFrame]:
    """One row a cell and hour with arrivals, ordered by merchant, hour and zone."""
    cells = cells_of(scene.table("merchant_zone_profile_5A"))
    made = intensity_of(scene, cells)
    counts = np.zeros(made.shape, np.int64)
    count_arrivals(arrival_key(scene), exponential(), cells.first, made, counts)
    cell, hour = np.nonzero(counts)
    rows = {
        "merchant_id": cells.merchants[cells.merchant[cell]],
        "zone_representation": worded(cells.zone[cell], zone_words()),
        "bucket_index": hour,
        "count": counts[cell, hour],
    }
    return {"s3_bucket_counts_5B": pl.DataFrame(rows).sort("merchant_id", "bucket_index", maintain_order=True)}
