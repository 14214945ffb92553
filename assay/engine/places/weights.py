"""Weights of sites and days (2B), and how many sites stand in which zone (3A)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from assay.engine.draws import quantiles_at, shares, uniforms
from assay.engine.guards import covered
from assay.engine.places.documents import Places
from assay.engine.places.sites import SITE
from assay.engine.quantiles import gamma
from assay.engine.scenario import DAY_US, Scenario
from assay.engine.segment import Scene


def site_weights(scene: Scene, _: int) -> Mapping[str, pl.DataFrame]:
    """2B: the share of each site in its merchant's arrivals, and a factor of each merchant and day (mean 1)."""
    places, scenario = scene.parameters.of(Places), scene.parameters.of(Scenario)
    sites, zoned = scene.table("site_locations", None, SITE), scene.table("site_timezones", None, SITE)
    covered("site without zone", sites, zoned, SITE, "site_timezones")
    merchants, starts = np.unique(sites["merchant_id"].to_numpy(), return_index=True)
    to_weight, _unused = uniforms(scene.key("site_weight"), len(sites))
    weights = shares(quantiles_at(places.site_weight.table, to_weight), starts)
    day = np.arange(scenario.days) + scenario.start_us // DAY_US
    to_factor, _unused = uniforms(scene.key("day_effect"), len(merchants) * scenario.days)
    factors = {
        "merchant_id": np.repeat(merchants, scenario.days),
        "utc_day": np.tile(day, len(merchants)),
        "factor": quantiles_at(gamma(places.day_effect_shape), to_factor),
    }
    rows = sites.select("merchant_id", "site_id").with_columns(weight=pl.Series(weights))
    return {"s1_site_weights": rows, "s3_day_effects": pl.DataFrame(factors)}


def zone_alloc(scene: Scene, _: int) -> Mapping[str, pl.DataFrame]:
    """3A: sites of each merchant, country and zone."""
    outlets, zoned = scene.table("outlet_catalogue", None, SITE), scene.table("site_timezones", None, [*SITE, "tzid"])
    covered("site without zone", outlets, zoned, SITE, "site_timezones")
    keys = ["merchant_id", "country_iso", "tzid"]
    return {"zone_alloc": zoned.group_by(keys, maintain_order=True).agg(pl.len().alias("site_count")).sort(keys)}
