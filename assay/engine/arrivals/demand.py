"""5A: how many arrivals a week each merchant expects in each zone, and when in the week each demand class pays."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import polars as pl

from assay.engine.arrivals.documents import HOURS_OF_WEEK, Arrivals
from assay.engine.draws import Floats, Ints, grouped_sums, quantiles_at, uniforms
from assay.engine.guards import covered, sums_to_one
from assay.engine.output import numbered, worded
from assay.engine.places.documents import DEMAND_CLASSES
from assay.engine.scenario import Scale, Scenario
from assay.engine.segment import Scene

_ZONE = ["merchant_id", "country_iso", "tzid"]
_ONLINE = len(DEMAND_CLASSES)


def merchant_profile(scene: Scene, _: int) -> Mapping[str, pl.DataFrame]:
    """Weekly volume of each merchant and zone (0 for merchants without arrivals), and the shape of the week of each class."""
    shapes = scene.parameters.of(Arrivals).week_shares()
    zones = zone_shares(scene)
    merchants = (
        scene.table("outlet_catalogue", None, ["merchant_id", "demand_class"])
        .group_by("merchant_id", maintain_order=True)
        .agg(pl.col("demand_class").first(), pl.len().alias("outlets"))
        .join(scene.table("virtual_classification_3B", None, ["merchant_id", "is_virtual"]), on="merchant_id", maintain_order="left")
    )
    volumes = merchants.select("merchant_id", "demand_class", volume=pl.Series(weekly_volumes(scene, merchants)))
    rows = zones.join(volumes, on="merchant_id", maintain_order="left").with_columns(weekly_volume=pl.col("volume") * pl.col("share"))
    week = {
        "demand_class": worded(np.repeat(np.arange(len(DEMAND_CLASSES)), HOURS_OF_WEEK), DEMAND_CLASSES),
        "hour_of_week": np.tile(np.arange(HOURS_OF_WEEK), len(DEMAND_CLASSES)),
        "share": shapes.ravel(),
    }
    profile = rows.select(*_ZONE, "demand_class", "weekly_volume")
    return {"merchant_zone_profile_5A": profile, "class_zone_shape_5A": pl.DataFrame(week)}


def zone_shares(scene: Scene) -> pl.DataFrame:
    """The share of each zone in its merchant's arrivals: that of its sites, or of its edges where the merchant is online only."""
    weights, zoned = scene.table("s1_site_weights"), scene.table("site_timezones", None, [*_ZONE, "site_id"])
    edges, virtual = scene.table("edge_catalogue_3B"), scene.table("virtual_classification_3B")
    sums_to_one("weights that do not sum to 1", weights, "merchant_id", "weight", "s1_site_weights")
    sums_to_one("weights that do not sum to 1", edges, "merchant_id", "weight", "edge_catalogue_3B")
    covered("site without zone", weights, zoned, ["merchant_id", "site_id"], "site_timezones")
    online = virtual.filter("is_virtual").select("merchant_id")
    covered("online merchant without edge", online, edges, ["merchant_id"], "edge_catalogue_3B")
    sites = weights.join(zoned, on=["merchant_id", "site_id"], maintain_order="left").join(online, on="merchant_id", how="anti")
    covered("zone without count", zone_rows(sites), scene.table("zone_alloc"), _ZONE, "zone_alloc")
    places = pl.concat([sites.select(*_ZONE, "weight"), edges.select(*_ZONE, "weight")]).sort(_ZONE, maintain_order=True)
    groups = zone_rows(places)
    starts = groups["first"].to_numpy().astype(np.int64)
    return groups.select(_ZONE).with_columns(share=pl.Series(grouped_sums(places["weight"].to_numpy(), starts)))


def zone_rows(places: pl.DataFrame) -> pl.DataFrame:
    """Merchant and zone of sorted places, with the number of the first row of each."""
    return places.with_row_index("first").group_by(_ZONE, maintain_order=True).agg(pl.col("first").first())


def weekly_volumes(scene: Scene, merchants: pl.DataFrame) -> Floats:
    """Expected arrivals a week. `merchants`: demand_class, outlets, is_virtual; online merchants are always active.

    Volumes are scaled by class, so that the mix of classes is that of the parameters at every size of a world.
    """
    arrivals, scale, scenario = scene.parameters.of(Arrivals), scene.parameters.of(Scale), scene.parameters.of(Scenario)
    to_active, to_size = uniforms(scene.key("volume"), len(merchants))
    online = merchants["is_virtual"].to_numpy()
    active = (to_active < arrivals.active_share) | online
    raw = np.sqrt(merchants["outlets"].to_numpy().astype(np.float64)) * quantiles_at(arrivals.volume.table, to_size) * active
    group = np.where(online, _ONLINE, numbered(merchants["demand_class"], DEMAND_CLASSES))
    targets = np.array([(1 - arrivals.virtual_share) * arrivals.classes[name].share for name in DEMAND_CLASSES])
    targets = np.append(targets / math.fsum(shape.share for shape in arrivals.classes.values()), arrivals.virtual_share)
    totals = by_group(raw, group, len(targets))
    targets = np.where(totals > 0, targets, 0.0)
    weekly = scale.flows * 7 / scenario.days
    volumes: Floats = weekly * raw * (targets / np.cumsum(targets)[-1] / np.where(totals > 0, totals, 1.0))[group]
    return volumes


def by_group(values: Floats, group: Ints, groups: int) -> Floats:
    """Sums by group, added in the order of rows."""
    sums = np.zeros(groups)
    for number in range(groups):
        chosen = values[group == number]
        sums[number] = np.cumsum(chosen)[-1] if len(chosen) else 0.0
    return sums
