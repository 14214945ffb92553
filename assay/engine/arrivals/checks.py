"""Looks at layer 2 before its flags."""

from __future__ import annotations

import math

import numpy as np

from assay.engine.guards import sums_to_one
from assay.engine.scenario import Scale, Scenario
from assay.engine.segment import Check, Scene, Verdict


def _sums(scene: Scene) -> Verdict:
    """Shares of a class sum to 1, and volumes of a week to the flows of the world."""
    sums_to_one("shares that do not sum to 1", scene.table("class_zone_shape_5A"), "demand_class", "share", "class_zone_shape_5A")
    weekly = float(np.cumsum(scene.table("merchant_zone_profile_5A")["weekly_volume"].to_numpy())[-1])
    wanted = scene.parameters.of(Scale).flows * 7 / scene.parameters.of(Scenario).days
    return Verdict(abs(weekly / wanted - 1) < 1e-6, {"weekly_volume": weekly}, {"weekly_volume": wanted})


def _volume(scene: Scene) -> Verdict:
    """The world has the wanted number of flows: within 2 %, or six standard deviations where it is tiny."""
    counted, wanted = int(scene.table("s3_bucket_counts_5B", None, ["count"])["count"].sum()), scene.parameters.of(Scale).flows
    bound = max(0.02 * wanted, 6 * math.sqrt(wanted))
    bounds = {"low": math.floor(wanted - bound), "high": math.ceil(wanted + bound)}
    return Verdict(abs(counted - wanted) <= bound, {"arrivals": counted}, bounds)


SUMS = Check("shares and volumes", ("class_zone_shape_5A", "merchant_zone_profile_5A"), _sums)
VOLUME = Check("number of arrivals", ("s3_bucket_counts_5B",), _volume)
