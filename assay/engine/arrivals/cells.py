"""The cells of layer 2: a cell is an active merchant in a zone. Cells stand in order of merchant and zone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.codecs.kernel import frozen
from assay.engine.draws import Floats, Ints
from assay.engine.output import numbered
from assay.engine.places.documents import DEMAND_CLASSES, zone_words


@dataclass(frozen=True)
class Cells:
    """`first[m]` … `first[m + 1]`: cells of active merchant m. `zone`: place in `zone_words()`. `volume`: arrivals a week."""

    rows: pl.DataFrame
    merchants: Ints
    first: Ints
    merchant: Ints
    zone: Ints
    demand: Ints
    volume: Floats


def cells_of(profile: pl.DataFrame) -> Cells:
    """Cells of merchant_zone_profile_5A."""
    active = profile.filter(pl.col("weekly_volume") > 0).sort("merchant_id", "tzid")
    rows = active.select("merchant_id", "tzid", "demand_class", "weekly_volume")
    merchants, starts, merchant = np.unique(rows["merchant_id"].to_numpy(), return_index=True, return_inverse=True)
    return Cells(
        rows,
        frozen(merchants, np.uint64),
        frozen(np.append(starts, len(rows)), np.int64),
        frozen(merchant, np.int64),
        frozen(numbered(rows["tzid"], zone_words()), np.int64),
        frozen(numbered(rows["demand_class"], DEMAND_CLASSES), np.int64),
        frozen(rows["weekly_volume"].to_numpy(), np.float64),
    )
