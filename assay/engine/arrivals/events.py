"""5B S4: every arrival, with its time, its place and its number in its merchant's history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.codecs.kernel import frozen, kernel
from assay.engine.arrivals.cells import Cells, cells_of
from assay.engine.arrivals.counts import arrival_key, intensity_of
from assay.engine.arrivals.guards import refuse_other_counts, refuse_other_times
from assay.engine.arrivals.places import Places, places_of
from assay.engine.arrivals.process import make_arrivals
from assay.engine.draws import Floats, Ints
from assay.engine.output import worded
from assay.engine.places.documents import CHANNELS, zone_words
from assay.engine.places.sites import offsets_by_hour
from assay.engine.quantiles import exponential
from assay.engine.scenario import HOUR_US, Scenario, days_of
from assay.engine.segment import Scene


@dataclass(frozen=True)
class World:
    """What all parts read. `counts`: by cell and hour; `before`: arrivals of a merchant before each hour, and in all."""

    cells: Cells
    intensity: Floats
    counts: NDArray[np.int32]
    before: Ints
    places: Places
    offset_s: Ints


def prepared(scene: Scene) -> World:
    """Indexes of the whole scenario: a few numbers a cell and hour."""
    cells, scenario = cells_of(scene.table("merchant_zone_profile_5A")), scene.parameters.of(Scenario)
    counts = counts_of(scene.table("s3_bucket_counts_5B"), cells, scenario.hours)
    before = np.zeros((len(cells.merchants), scenario.hours + 1), np.int64)
    np.cumsum(np.add.reduceat(counts, cells.first[:-1], axis=0, dtype=np.int64), axis=1, out=before[:, 1:])
    offset_s = offsets_by_hour(scene.table("tz_timetable_cache"), zone_words(), scenario)
    return World(cells, intensity_of(scene, cells), counts, before, places_of(scene, cells), offset_s)


def counts_of(rows: pl.DataFrame, cells: Cells, hours: int) -> NDArray[np.int32]:
    """Counts by cell and hour, of rows of s3_bucket_counts_5B."""
    numbers = cells.rows.select("merchant_id", zone_representation="tzid").with_row_index("cell")
    found = rows.join(numbers, on=["merchant_id", "zone_representation"])
    counts = np.zeros((len(cells.zone), hours), np.int32)
    counts[found["cell"].to_numpy(), found["bucket_index"].to_numpy()] = found["count"].to_numpy()
    return counts


def arrival_events(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """The arrivals of the days of a part, ordered by merchant, time and number."""
    world: World = scene.prepared
    scenario = scene.parameters.of(Scenario)
    begin, end = (day * 24 for day in days_of(scene.parameters, part))
    already, until = world.before[:, begin], world.before[:, end]
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(until - already)])
    rows = int(bounds[-1])
    cell, place, hour, since_us = (np.empty(rows, dtype) for dtype in (np.int32, np.int32, np.int32, np.int64))
    found = np.zeros((len(world.cells.zone), end - begin), np.int32)
    make_arrivals(
        arrival_key(scene),
        exponential(),
        world.cells.first,
        world.intensity,
        (begin, end),
        frozen(bounds, np.int64),
        world.places.first,
        world.places.ends,
        (cell, place, hour, since_us),
        found,
    )
    refuse_other_counts(world.counts[:, begin:end], found, begin, world.cells.rows)
    made = _columns(world, scenario, cell, place, hour, since_us, already - bounds[:-1])
    refuse_other_times(made["ts_utc"], scenario.start_us + begin * HOUR_US, scenario.start_us + end * HOUR_US)
    return {"arrival_events_5B": made}


def _columns(world: World, scenario: Scenario, cell: Any, place: Any, hour: Any, since_us: Any, lead: Any) -> pl.DataFrame:
    """`lead`: what a merchant's row number lacks to its arrival's number, counted from 0."""
    rows, places = len(cell), world.places
    merchant_id, place_id = np.empty(rows, np.uint64), np.empty(rows, np.uint64)
    seq, local = np.empty(rows, np.int64), np.empty(rows, np.int64)
    zone, channel, online = np.empty(rows, np.uint8), np.empty(rows, np.uint8), np.empty(rows, np.bool_)
    lam = np.empty(rows)
    since_us += scenario.start_us
    _look_up(
        (cell, place, hour, since_us),
        (world.cells.merchant, world.cells.zone, world.cells.merchants, frozen(lead, np.int64)),
        (places.ids, places.channel, places.online),
        (world.offset_s, world.intensity),
        (merchant_id, place_id, seq, local, zone, channel, online, lam),
    )
    zones = worded(zone, zone_words())
    ids = pl.Series(place_id)
    is_virtual = pl.Series(online)
    utc = pl.Series(since_us)
    return pl.DataFrame(
        {
            "merchant_id": merchant_id,
            "zone_representation": zones,
            "bucket_index": hour,
            "arrival_seq": seq,
            "ts_utc": utc.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            "tzid_primary": zones,
            "ts_local_primary": pl.Series(local).cast(pl.Datetime("us")),
            "is_virtual": is_virtual,
            "channel_group": worded(channel, CHANNELS),
            "site_id": ids.zip_with(~is_virtual, pl.Series([None], dtype=pl.UInt64)),
            "edge_id": ids.zip_with(is_virtual, pl.Series([None], dtype=pl.UInt64)),
            "lambda_realised": lam,
        }
    )


@kernel
def _look_up(drawn: Any, of_cell: Any, of_place: Any, fields: Any, made: Any) -> None:
    cell, place, hour, ts_us = drawn
    merchant, zone, merchants, lead = of_cell
    ids, channel, online = of_place
    offset_s, intensity = fields
    merchant_id, place_id, seq, local, to_zone, to_channel, to_online, lam = made
    for row in range(len(cell)):
        at, owner = cell[row], merchant[cell[row]]
        merchant_id[row], place_id[row] = merchants[owner], ids[place[row]]
        seq[row] = row + lead[owner] + 1
        local[row] = ts_us[row] + offset_s[zone[at], hour[row]] * 1_000_000
        to_zone[row], to_channel[row], to_online[row] = zone[at], channel[owner], online[owner]
        lam[row] = intensity[at, hour[row]]
