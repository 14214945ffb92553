"""Where arrivals of a cell happen: at the sites of a merchant, or at the edges of one that is online only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.codecs.kernel import frozen
from assay.engine.arrivals.cells import Cells
from assay.engine.draws import Floats, Ints, running
from assay.engine.guards import covered
from assay.engine.output import numbered
from assay.engine.places.documents import CHANNELS
from assay.engine.segment import Scene


@dataclass(frozen=True)
class Places:
    """`first[c]` … `first[c + 1]`: places of cell c, with running sums of weights. `channel`, `online`: of active merchants."""

    first: Ints
    ids: NDArray[np.uint64]
    ends: Floats
    channel: Ints
    online: NDArray[np.bool_]


def places_of(scene: Scene, cells: Cells) -> Places:
    """Places of all cells, in order of cell and id."""
    virtual = scene.table("virtual_classification_3B", None, ["merchant_id", "is_virtual"])
    zoned = scene.table("site_timezones", None, ["site_id", "tzid"])
    sites = scene.table("s1_site_weights").join(zoned, on="site_id").join(virtual.filter("is_virtual"), on="merchant_id", how="anti")
    columns = [pl.col("merchant_id"), pl.col("tzid"), pl.col("weight")]
    edges = scene.table("edge_catalogue_3B")
    every = pl.concat([sites.select(*columns, id="site_id"), edges.select(*columns, id="edge_id")])
    numbers = cells.rows.select("merchant_id", "tzid").with_row_index("cell")
    covered("cell without place", numbers, every, ["merchant_id", "tzid"], "merchant_zone_profile_5A")
    rows = every.join(numbers, on=["merchant_id", "tzid"]).sort("cell", "id")
    first = np.searchsorted(rows["cell"].to_numpy(), np.arange(len(cells.zone) + 1))
    channels = scene.table("outlet_catalogue", None, ["merchant_id", "channel"]).unique("merchant_id", keep="first")
    merchants = pl.DataFrame({"merchant_id": cells.merchants})
    known = merchants.join(channels, on="merchant_id", maintain_order="left").join(virtual, on="merchant_id", maintain_order="left")
    return Places(
        frozen(first, np.int64),
        frozen(rows["id"].to_numpy(), np.uint64),
        running(rows["weight"].to_numpy(), first[:-1]),
        frozen(numbered(known["channel"], CHANNELS), np.int64),
        frozen(known["is_virtual"].to_numpy(), np.bool_),
    )
