"""Merchants by their place in the catalogue (by merchant id), and the columns of an arrival that depend on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.codecs.kernel import frozen, kernel
from assay.engine.behaviour.channels import CHANNELS
from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.guards import refuse_unknown_merchant
from assay.engine.behaviour.population import codes
from assay.engine.scenario import Scenario
from assay.engine.segment import Scene

OUTLETS, PROFILE = "outlet_catalogue", "merchant_zone_profile_5A"
#: what `merchants` reads
INPUTS = (OUTLETS, PROFILE)


@dataclass(frozen=True)
class Merchants:
    """Columns by place. country[m, z]: of the merchant in the zone, -1 where it is none of the names. customers[m, c]: at least 1."""

    ids: NDArray[np.uint64]
    channel: NDArray[np.int64]
    demand: tuple[str, ...]
    demand_class: NDArray[np.int64]
    zones: tuple[str, ...]
    country: NDArray[np.int64]
    customers: NDArray[np.int64]


def merchants(scene: Scene, countries: Sequence[str]) -> Merchants:
    """Index catalogue and profile. `countries`: names of the codes; a country that is none of them has code len(countries)."""
    behaviour, days = scene.parameters.of(Behaviour), scene.parameters.of(Scenario).days
    columns = ["merchant_id", "demand_class", "channel", "home_country_iso"]
    rows = scene.table(OUTLETS, columns=columns).unique("merchant_id", keep="first", maintain_order=True).sort("merchant_id")
    ids = rows["merchant_id"].to_numpy()
    demand = tuple(sorted(behaviour.purchases.median))
    profile = scene.table(PROFILE, columns=["merchant_id", "country_iso", "tzid", "weekly_volume"]).sort(
        "merchant_id", "country_iso", "tzid"
    )
    zones = tuple(sorted(profile["tzid"].cast(pl.String).unique()))
    place = places(ids, profile["merchant_id"].to_numpy())
    refuse_unknown_merchant(profile["merchant_id"].to_numpy(), place)
    at, zone = _known(profile["country_iso"], countries), codes(profile["tzid"], zones)
    country = np.repeat(_known(rows["home_country_iso"], countries)[:, None], len(zones) + 1, axis=1)
    country[place[::-1], zone[::-1]] = at[::-1]
    visits = np.zeros((len(ids), len(countries) + 1))
    np.add.at(visits, (place, at), profile["weekly_volume"].to_numpy() * (days / 7))
    customers = np.maximum(visits / behaviour.clientele.visits_per_customer, 1).astype(np.int64)
    return Merchants(
        frozen(ids, np.uint64),
        frozen(codes(rows["channel"], CHANNELS), np.int64),
        demand,
        frozen(codes(rows["demand_class"], demand), np.int64),
        zones,
        frozen(country, np.int64),
        frozen(customers, np.int64),
    )


def _known(names: pl.Series, countries: Sequence[str]) -> NDArray[np.int64]:
    found = codes(names, countries)
    return np.where(found < 0, len(countries), found)


def places(ids: NDArray[np.uint64], merchant_id: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The places of merchants in the sorted ids, -1 for an unknown one. Fast where rows of a merchant lie together."""
    out = np.empty(len(merchant_id), np.int64)
    _places(frozen(ids, np.uint64), frozen(merchant_id, np.uint64), out)
    return out


@kernel
def _places(ids: Any, merchant_id: Any, out: Any) -> None:
    low = 0
    for i in range(len(merchant_id)):
        wanted = merchant_id[i]
        if i == 0 or wanted != merchant_id[i - 1]:
            low, high = 0, len(ids)
            while low < high:
                middle = (low + high) >> 1
                if ids[middle] < wanted:
                    low = middle + 1
                else:
                    high = middle
        out[i] = low if low < len(ids) and ids[low] == wanted else -1
