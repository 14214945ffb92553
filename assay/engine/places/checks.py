"""Looks at layer 1 before its flags."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from assay.engine.guards import covered, sums_to_one
from assay.engine.places.documents import Countries, Places
from assay.engine.places.sites import SITE
from assay.engine.scenario import Scale
from assay.engine.segment import Check, Scene, Verdict


def _outlet_sizes(scene: Scene) -> Verdict:
    """Every merchant is there, with no fewer and no more outlets than its law allows."""
    law, merchants = scene.parameters.of(Places).outlets, scene.parameters.of(Scale).merchants
    sizes = scene.table("outlet_catalogue", None, ["merchant_id"]).group_by("merchant_id").len()["len"]
    ends = sizes.sort()
    measured = {"merchants": len(ends), "least": int(ends[0]), "median": int(ends[len(ends) // 2]), "most": int(ends[-1])}
    passed = len(ends) == merchants and ends[0] >= law.least and ends[-1] <= int(float(law.most))
    return Verdict(passed, measured, {"merchants": merchants, "least": law.least, "most": law.most})


def _locations(scene: Scene) -> Verdict:
    """Every outlet has a site, and every site is where a city of its country can be: within the scatter of one of them."""
    places, countries = scene.parameters.of(Places), scene.parameters.of(Countries).countries
    cities = pl.DataFrame(
        [(iso, city.lat, city.lon) for iso in countries for city in countries[iso].cities],
        schema={"country_iso": pl.String, "city_lat": pl.Float64, "city_lon": pl.Float64},
        orient="row",
    )
    covered("outlet without location", scene.table("outlet_catalogue", None, SITE), scene.table("site_locations"), SITE, "site_locations")
    sites = scene.table("site_locations").with_columns(pl.col("country_iso").cast(pl.String))
    radius = places.city_radius_deg + 1e-6
    near = ((pl.col("lat") - pl.col("city_lat")).abs() <= radius) & ((pl.col("lon") - pl.col("city_lon")).abs() <= radius)
    lost = len(sites) - sites.join(cities, on="country_iso").filter(near)["site_id"].n_unique()
    return Verdict(lost == 0, {"sites": len(sites), "away_from_cities": lost}, {"away_from_cities": 0})


def _weights(scene: Scene) -> Verdict:
    """Weights of a merchant's sites sum to 1; the mean day effect is about 1."""
    sums_to_one("weights that do not sum to 1", scene.table("s1_site_weights"), "merchant_id", "weight", "s1_site_weights")
    factors = scene.table("s3_day_effects", None, ["factor"])["factor"]
    mean = float(np.cumsum(factors.to_numpy())[-1]) / len(factors)
    bound = 6 / math.sqrt(scene.parameters.of(Places).day_effect_shape * len(factors))
    return Verdict(abs(mean - 1) < bound, {"rows": len(factors), "mean": round(mean, 6)}, {"away_from_1": round(bound, 6)})


OUTLET_SIZES = Check("outlets of a merchant", ("outlet_catalogue",), _outlet_sizes)
LOCATIONS = Check("outlets at sites near cities of their country", ("outlet_catalogue", "site_locations"), _locations)
WEIGHTS = Check("weights and day effects", ("s1_site_weights", "s3_day_effects"), _weights)
