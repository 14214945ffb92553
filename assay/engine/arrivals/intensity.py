"""5B S2: the expected arrivals of each cell and hour, with all its random factors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from assay.codecs.kernel import frozen, kernel
from assay.engine.arrivals.cells import Cells, cells_of
from assay.engine.arrivals.documents import Arrivals
from assay.engine.draws import Floats
from assay.engine.output import worded
from assay.engine.philox import two
from assay.engine.places.documents import zone_words
from assay.engine.places.sites import offsets_by_hour
from assay.engine.quantiles import at_score, gamma, interpolated, lognormal_of_score, normal
from assay.engine.scenario import HOUR_US, Scale, Scenario
from assay.engine.segment import Scene

#: 1970-01-01 was a Thursday: its first hour is the 73rd of a week that begins on Monday
_EPOCH_HOUR = 72


def realised_intensity(scene: Scene, _: int) -> Mapping[str, pl.DataFrame]:
    """λ of each cell and hour: volume · share of the local hour · day effect · day of the month · slow factor · fast factor.

    λ is scaled so that its sum is the expected number of flows. A log-Gaussian Cox process with gamma noise: Møller, Syversveen and
    Waagepetersen 1998; Poisson counts of a gamma intensity are negative binomial.
    """
    cells, hours = cells_of(scene.table("merchant_zone_profile_5A")), scene.parameters.of(Scenario).hours
    made = intensity(scene, cells)
    rows = {
        "merchant_id": np.repeat(cells.merchants[cells.merchant], hours),
        "zone_representation": worded(np.repeat(cells.zone, hours), zone_words()),
        "bucket_index": np.tile(np.arange(hours), len(cells.zone)),
        "lambda_realised": made.ravel(),
    }
    return {"s2_realised_intensity_5B": pl.DataFrame(rows)}


def intensity(scene: Scene, cells: Cells) -> Floats:
    """λ by cell and hour."""
    arrivals, scenario = scene.parameters.of(Arrivals), scene.parameters.of(Scenario)
    latent = arrivals.latent
    effects = scene.table("s3_day_effects").sort("merchant_id", "utc_day")
    of_active = effects.filter(pl.col("merchant_id").is_in(cells.rows["merchant_id"].unique().implode()))
    shares = scene.table("class_zone_shape_5A").sort(pl.col("demand_class").to_physical(), "hour_of_week")["share"]
    made = np.empty((len(cells.zone), scenario.hours))
    _fill(
        scene.key("factors"),
        np.array([scenario.start_us // HOUR_US, _EPOCH_HOUR], np.int64),
        (cells.merchant, cells.zone, cells.demand, cells.volume),
        frozen(of_active["factor"].to_numpy().reshape(-1, scenario.days), np.float64),
        frozen(shares.to_numpy().reshape(-1, 168), np.float64),
        offsets_by_hour(scene.table("tz_timetable_cache"), zone_words(), scenario),
        month_factors(arrivals, scenario),
        (normal(), lognormal_of_score(latent.sigma, latent.low, latent.high), gamma(arrivals.burst_shape)),
        (latent.persistence, math.sqrt(1 - latent.persistence * latent.persistence)),
        made,
    )
    total = float(np.cumsum(made.ravel())[-1])
    made *= scene.parameters.of(Scale).flows / total
    return made


def month_factors(arrivals: Arrivals, scenario: Scenario) -> Floats:
    """Factors of local days, from the day before the scenario to the day after it."""
    days = [(scenario.start_utc + timedelta(days=day)).day for day in range(-1, scenario.days + 1)]
    return frozen(np.array([arrivals.month_days[day - 1] for day in days]), np.float64)


@kernel
def _fill(
    key: Any, clock: Any, cells: Any, day_effect: Any, shares: Any, offset_s: Any, month: Any, tables: Any, motion: Any, made: Any
) -> None:
    merchant, zone, demand, volume = cells
    to_normal, to_slow, to_fast = tables
    keep, renew = motion
    start_hour, epoch_hour = clock
    for cell in range(len(zone)):
        score = 0.0
        for hour in range(made.shape[1]):
            left, right = two(key, cell, hour)
            drawn = interpolated(to_normal, left)
            score = drawn if hour == 0 else keep * score + renew * drawn
            local = (start_hour + hour) * 3600 + offset_s[zone[cell], hour]
            week = (local // 3600 + epoch_hour) % 168
            day = local // 86_400 - start_hour // 24 + 1
            level = volume[cell] * shares[demand[cell], week] * day_effect[merchant[cell], hour // 24] * month[day]
            made[cell, hour] = level * at_score(to_slow, score) * interpolated(to_fast, right)
