"""Sites on the map (1B), and the zone of each (2A)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from assay.codecs.kernel import frozen, kernel
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.engine.draws import Ints, picks, uniforms
from assay.engine.output import numbered, worded
from assay.engine.places.documents import Countries, Places, Zones
from assay.engine.places.geography import DEGREE, geography
from assay.engine.scenario import Scenario
from assay.engine.segment import Scene

SITE = ["merchant_id", "country_iso", "site_id"]


def site_locations(scene: Scene, _: int) -> Mapping[str, pl.DataFrame]:
    """1B: each outlet near a city of its country, a city by its weight. Latitude and longitude have six decimals."""
    outlets = scene.table("outlet_catalogue", None, SITE)
    where, places = geography(scene.parameters.of(Countries)), scene.parameters.of(Places)
    country = numbered(outlets["country_iso"], where.isos)
    to_city, _unused = uniforms(scene.key("city"), len(outlets))
    city = picks(to_city, where.weight_ends, where.first[country], where.first[country + 1])
    radius = np.float64(round(places.city_radius_deg * DEGREE))
    north, south = uniforms(scene.key("scatter"), len(outlets))
    east, west = uniforms(scene.key("scatter"), len(outlets), 1)
    lat = where.lat[city] + ((north - south) * radius).astype(np.int64)
    lon = where.lon[city] + ((east - west) * radius).astype(np.int64)
    return {"site_locations": outlets.with_columns(lat=pl.Series(lat / DEGREE), lon=pl.Series(lon / DEGREE))}


def site_timezones(scene: Scene, _: int) -> Mapping[str, pl.DataFrame]:
    """2A: the zone of the nearest city of the country, and the civil time of all zones."""
    sites = scene.table("site_locations", None, [*SITE, "lat", "lon"])
    where, zones, scenario = geography(scene.parameters.of(Countries)), scene.parameters.of(Zones), scene.parameters.of(Scenario)
    if not zones.covers(scenario.start_utc, scenario.end_us) or not {*where.zones} <= zones.zones.keys():
        what = "civil time is not known for the whole scenario, or for a zone of a city"
        remedy = "Choose a scenario within zones.yaml, or extend that document."
        raise Stop(Reason.ENGINE_PARAMETERS_INVALID, what, where="zones", remedy=remedy)
    city = np.empty(len(sites), np.int64)
    country = numbered(sites["country_iso"], where.isos)
    lat, lon = (frozen(np.rint(sites[name].to_numpy() * DEGREE), np.int64) for name in ("lat", "lon"))
    _fill_nearest(lat, lon, frozen(country, np.int64), where.first, where.lat, where.lon, city)
    changes = [(tzid, change.from_utc, change.offset_s) for tzid in sorted(zones.zones) for change in zones.zones[tzid]]
    table = pl.DataFrame(changes, schema={"tzid": pl.String, "from_utc": pl.Datetime("us", "UTC"), "offset_s": pl.Int64}, orient="row")
    return {
        "site_timezones": sites.select(SITE).with_columns(tzid=worded(where.zone[city], where.zones)),
        "tz_timetable_cache": table,
    }


def offsets_by_hour(timetable: pl.DataFrame, zones: tuple[str, ...], scenario: Scenario) -> Ints:
    """Offset in seconds at each hour of the scenario, a row a zone. `timetable`: rows of tz_timetable_cache; changes are at full hours."""
    hour_us = 3_600_000_000
    hours = np.arange(scenario.hours) * hour_us + scenario.start_us
    made = np.empty((len(zones), scenario.hours), np.int64)
    for number, tzid in enumerate(zones):
        changes = timetable.filter(pl.col("tzid") == tzid).sort("from_utc")
        instants = changes["from_utc"].cast(pl.Int64).to_numpy()
        made[number] = changes["offset_s"].to_numpy()[np.searchsorted(instants, hours, side="right") - 1]
    return frozen(made, np.int64)


@kernel
def _fill_nearest(lat: Any, lon: Any, country: Any, first: Any, city_lat: Any, city_lon: Any, made: Any) -> None:
    for row in range(len(made)):
        least = np.int64(-1)
        for city in range(first[country[row]], first[country[row] + 1]):
            north, east = lat[row] - city_lat[city], lon[row] - city_lon[city]
            distance = north * north + east * east
            if least < 0 or distance < least:
                least, made[row] = distance, city
