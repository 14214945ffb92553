"""Layer 2: arrivals are as many, as regular and as irregular as the parameters say, and every one is in its place."""

from __future__ import annotations

import math
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from engine_worlds import EngineWorld, parameters, small_world
from figures import num

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.engine.arrivals.documents import Arrivals
from assay.engine.arrivals.guards import refuse_other_counts, refuse_other_times
from assay.engine.places.documents import DEMAND_CLASSES
from assay.engine.scenario import Scale, Scenario, days_of, time_parts

ERRORS = 5
FLAT = {"share": 1, "days": [1] * 7, "weekday": [1] * 24, "weekend": [1] * 24}
#: nothing but the slow factor varies, as far as that goes
PLAIN: dict[str, dict[str, Any]] = {
    "places": {"day_effect_shape": 1000},
    "arrivals": {"classes": dict.fromkeys(DEMAND_CLASSES, FLAT), "month_days": [1.0] * 31, "burst_shape": 1000},
}


def arrivals() -> pl.DataFrame:
    """All arrivals of the small world."""
    return small_world().table("arrival_events_5B")


@pytest.fixture(scope="module")
def large() -> EngineWorld:
    """A tenth of a million arrivals, as the scale `tiny` has them."""
    return EngineWorld(parameters({"scale": {"flows": 100_000, "merchants": 160, "part_flows": 25_000}}), workers=2).made()


def factor(world: EngineWorld) -> np.ndarray[Any, np.dtype[np.float64]]:
    """λ over its mean, by cell and hour."""
    made = world.table("s2_realised_intensity_5B")["lambda_realised"].to_numpy().reshape(-1, world.parameters.of(Scenario).hours)
    over_mean: np.ndarray[Any, np.dtype[np.float64]] = made / made.mean(axis=1, keepdims=True)
    return over_mean


def test_there_are_as_many_arrivals_as_the_scale_says_and_as_s3_counted() -> None:
    world, made = small_world(), arrivals()
    counts = world.table("s3_bucket_counts_5B")
    assert abs(len(made) - world.parameters.of(Scale).flows) <= ERRORS * math.sqrt(len(made))
    keys = ["merchant_id", "zone_representation", "bucket_index"]
    found = made.group_by(keys).len().sort(keys)
    assert found["len"].to_list() == counts.sort(keys)["count"].to_list()
    assert (counts["count"] > 0).all()
    assert counts.select("merchant_id", "bucket_index").equals(
        counts.select("merchant_id", "bucket_index").sort("merchant_id", "bucket_index")
    )


def test_arrivals_are_numbered_from_one_in_the_order_of_time_within_each_merchant() -> None:
    made = arrivals().sort("merchant_id", "arrival_seq")
    numbers = made.select(pl.int_range(1, pl.len() + 1).over("merchant_id"))
    assert made["arrival_seq"].to_list() == numbers.to_series().to_list()
    assert made.select(pl.col("ts_utc").is_sorted().over("merchant_id"))["ts_utc"].all()


def test_a_part_holds_its_days_in_the_order_of_merchant_and_time() -> None:
    world = small_world()
    scenario, parts = world.parameters.of(Scenario), time_parts(world.parameters)
    assert parts == 5
    for part in range(parts):
        rows = world.table("arrival_events_5B", part)
        first, last = days_of(world.parameters, part)
        days = (rows["ts_utc"].cast(pl.Int64) - scenario.start_us) // 86_400_000_000
        assert (days.min(), days.max()) == (first, last - 1)
        assert rows.select("merchant_id", "arrival_seq").equals(
            rows.sort("merchant_id", "ts_utc", "arrival_seq").select("merchant_id", "arrival_seq")
        )


def test_buckets_are_hours_of_the_horizon_and_local_time_is_civil_time_across_every_change() -> None:
    world, made = small_world(), arrivals()
    hours = (made["ts_utc"].cast(pl.Int64) - world.parameters.of(Scenario).start_us) // 3_600_000_000
    assert hours.to_list() == made["bucket_index"].to_list()
    assert made["zone_representation"].to_list() == made["tzid_primary"].to_list()
    for (tzid,), rows in made.group_by("tzid_primary"):
        zone = ZoneInfo(tzid)
        expected = [instant.astimezone(zone).replace(tzinfo=None) for instant in rows["ts_utc"].to_list()]
        assert rows["ts_local_primary"].to_list() == expected, tzid
    offsets = made.with_columns(offset=pl.col("ts_local_primary").cast(pl.Int64) - pl.col("ts_utc").cast(pl.Int64))
    assert offsets.group_by("tzid_primary").agg(pl.col("offset").n_unique())["offset"].max() == 2


def test_an_arrival_is_at_a_site_or_at_an_edge_of_its_merchant_and_zone() -> None:
    world, made = small_world(), arrivals()
    assert (made["site_id"].is_null() == made["is_virtual"]).all()
    assert (made["edge_id"].is_null() != made["is_virtual"]).all()
    for column, output in (("site_id", "site_timezones"), ("edge_id", "edge_catalogue_3B")):
        rows = made.filter(pl.col(column).is_not_null()).select("merchant_id", "tzid_primary", column)
        known = world.table(output).select("merchant_id", pl.col("tzid").alias("tzid_primary"), column)
        assert len(rows) > 0
        assert len(rows.join(known, on=rows.columns, how="anti")) == 0
    online = world.table("virtual_classification_3B").filter("is_virtual")["merchant_id"]
    assert made.filter("is_virtual")["merchant_id"].is_in(online.implode()).all()
    channels = world.table("outlet_catalogue").unique("merchant_id").select("merchant_id", "channel")
    joined = made.join(channels, on="merchant_id")
    assert joined["channel_group"].cast(pl.String).to_list() == joined["channel"].cast(pl.String).to_list()


def test_sites_get_arrivals_by_their_weights(large: EngineWorld) -> None:
    made, weights = large.table("arrival_events_5B"), large.table("s1_site_weights")
    busiest = made["merchant_id"].value_counts().sort("count")["merchant_id"].tail(5)
    physical = made.filter(pl.col("merchant_id").is_in(busiest.implode()) & ~pl.col("is_virtual"))
    zoned = weights.join(large.table("site_timezones").select("site_id", "tzid"), on="site_id")
    # within a zone: zones differ by their own slow factors
    groups = physical.group_by("merchant_id", "tzid_primary").len().filter(pl.col("len") > 500)
    assert len(groups) > 2
    for merchant, tzid, number in groups.iter_rows():
        sites = zoned.filter((pl.col("merchant_id") == merchant) & (pl.col("tzid") == tzid))
        found = physical.filter((pl.col("merchant_id") == merchant) & (pl.col("tzid_primary") == tzid))
        expected = sites.with_columns(expected=pl.col("weight") / pl.col("weight").sum() * number)
        counts = expected.join(found.group_by("site_id").len(), on="site_id", how="left").fill_null(0).filter(pl.col("expected") > 5)
        statistic = float(((counts["len"] - counts["expected"]) ** 2 / counts["expected"]).sum())
        assert statistic <= len(counts) + ERRORS * math.sqrt(2 * len(counts)) + ERRORS


def test_days_and_weeks_have_the_shape_of_the_reference(large: EngineWorld) -> None:
    local = large.table("arrival_events_5B")["ts_local_primary"]
    hours = local.dt.hour().value_counts().sort("ts_local_primary")["count"].to_list()
    assert hours.index(max(hours)) == 12
    assert min(hours) == min(hours[2:5])
    assert sum(hours[11:17]) / sum(hours) > 6 / 24 * 1.5
    assert 0.1 <= hours[3] / hours[12] <= 0.25
    assert abs(num((local.dt.weekday() >= 6).mean()) - 0.2865) <= 0.02


def test_classes_and_online_merchants_have_their_shares_of_arrivals(large: EngineWorld) -> None:
    made, document = large.table("arrival_events_5B"), large.parameters.of(Arrivals)
    assert abs(num(made["is_virtual"].mean()) - document.virtual_share) < 0.004
    classes = large.table("outlet_catalogue").unique("merchant_id").select("merchant_id", "demand_class")
    sites = made.filter(~pl.col("is_virtual")).join(classes, on="merchant_id")
    weekend = sites.group_by("demand_class").agg((pl.col("ts_local_primary").dt.weekday() >= 6).mean().alias("share"), pl.len())
    for name, share, number in weekend.iter_rows():
        shape = document.classes[name]
        expected = sum(shape.days[5:]) / sum(shape.days)
        assert abs(share - expected) < 0.03 + ERRORS * math.sqrt(expected * (1 - expected) / number), name
        wanted = shape.share / sum(other.share for other in document.classes.values())
        assert abs(number / len(sites) - wanted) < 0.25 * wanted, name


def test_inactive_merchants_have_no_volume_and_about_the_wanted_share_is_active(large: EngineWorld) -> None:
    volumes = large.table("merchant_zone_profile_5A").group_by("merchant_id").agg(pl.col("weekly_volume").sum())["weekly_volume"]
    assert len(volumes) == 160
    assert abs(num((volumes > 0).mean()) - 0.716) < ERRORS * math.sqrt(0.716 * 0.284 / 160)
    wanted = 100_000 * 7 / 90
    assert volumes.sum() == pytest.approx(wanted, rel=1e-9)


def test_counts_are_poisson_of_their_intensity_and_offsets_uniform_in_the_hour(large: EngineWorld) -> None:
    keys = ["merchant_id", "zone_representation", "bucket_index"]
    cells = large.table("s2_realised_intensity_5B").join(large.table("s3_bucket_counts_5B").select(*keys, "count"), on=keys, how="left")
    lam, count = cells["lambda_realised"].to_numpy(), cells["count"].fill_null(0).to_numpy()
    assert abs(count.sum() - lam.sum()) <= ERRORS * math.sqrt(lam.sum())
    # E (count - λ)² = λ, and its variance is λ + 2 λ²
    assert abs(((count - lam) ** 2).sum() - lam.sum()) <= ERRORS * math.sqrt((lam + 2 * lam**2).sum())
    assert abs((count == 0).sum() - np.exp(-lam).sum()) <= ERRORS * math.sqrt(len(lam) * 0.25)
    within = (large.table("arrival_events_5B")["ts_utc"].cast(pl.Int64) % 3_600_000_000).to_numpy() / 3.6e9
    assert abs(within.mean() - 0.5) <= ERRORS * math.sqrt(1 / 12 / len(within))
    share = np.histogram(within, 20, (0, 1))[0] / len(within)
    assert np.abs(share - 0.05).max() <= ERRORS * math.sqrt(0.05 * 0.95 / len(within))


def test_the_intensity_of_an_arrival_is_that_of_its_cell_and_hour() -> None:
    keys = ["merchant_id", "zone_representation", "bucket_index"]
    field = small_world().table("s2_realised_intensity_5B").select(*keys, pl.col("lambda_realised").alias("field"))
    joined = arrivals().join(field, on=keys)
    assert len(joined) == len(arrivals())
    assert (joined["field"] == joined["lambda_realised"]).all()


def test_the_slow_factor_has_its_spread_and_its_memory() -> None:
    world = EngineWorld(parameters(PLAIN)).made()
    logs = np.log(factor(world))
    latent = world.parameters.of(Arrivals).latent
    sigma, keep = float(latent.sigma), latent.persistence
    # days and bursts still vary by 1 / 1000 each; a cell of 2,160 hours holds about 2160 (1 - keep) / (1 + keep) independent scores
    noise, scores = 2 / 1000, logs.size * (1 - keep) / (1 + keep)
    centred = logs - logs.mean(axis=1, keepdims=True)
    assert abs(centred.var() - (sigma**2 + noise)) <= sigma**2 * (ERRORS * math.sqrt(2 / scores) + (1 + keep) / (1 - keep) / 2160)
    lag = float((centred[:, 1:] * centred[:, :-1]).mean() / centred.var())
    assert abs(lag - keep) <= 0.02
    assert 1.25 <= np.quantile(factor(world), 0.9) <= 1.45
    assert 1.6 <= np.quantile(factor(world), 0.99) <= 2.0


def test_bursts_add_the_variance_of_their_gamma() -> None:
    changes = {**PLAIN, "arrivals": {**PLAIN["arrivals"], "burst_shape": 4, "latent": _still()}}
    made = factor(EngineWorld(parameters(changes)).made())
    assert abs(made.var() - (0.25 + 0.001 * 1.25)) <= ERRORS * 0.25 * math.sqrt((2 + 6 / 4) / made.size) + 0.005


def test_a_day_of_the_month_has_its_factor_in_local_time() -> None:
    days = [3.0 if day in (1, 15) else 1.0 for day in range(1, 32)]
    world = EngineWorld(parameters({**PLAIN, "arrivals": {**PLAIN["arrivals"], "month_days": days, "latent": _still()}})).made()
    field = world.table("s2_realised_intensity_5B").with_columns(
        ts_utc=pl.from_epoch(pl.col("bucket_index") * 3600 + world.parameters.of(Scenario).start_us // 1_000_000, "s").dt.replace_time_zone(
            "UTC"
        )
    )
    cells = field.group_by("merchant_id", "zone_representation")
    for (_, tzid), rows in cells:
        busy = rows["ts_utc"].dt.convert_time_zone(tzid).dt.day().is_in([1, 15])
        ratio = num(rows["lambda_realised"].filter(busy).mean()) / num(rows["lambda_realised"].filter(~busy).mean())
        # six busy days of 24 hours; what is left varies by 1 / 1000 a day and by 1 / 1000 an hour
        assert abs(ratio - 3) < 3 * ERRORS * math.sqrt(0.001 / 6 + 0.001 / 144), tzid


def _still() -> dict[str, Any]:
    return {"persistence": 0.0, "sigma": "0.0001", "low": "0.2", "high": "5.0"}


COUNTED = np.array([[1, 0, 2], [0, 0, 1]])
CELLS = pl.DataFrame({"merchant_id": [7, 7], "tzid": ["Asia/Tokyo", "Europe/Rome"]})


def test_a_count_that_is_not_that_of_s3_trips_its_guard() -> None:
    made = COUNTED.copy()
    refuse_other_counts(COUNTED, made, 48, CELLS)
    made[1, 2] = 3
    with pytest.raises(
        Stop, match=r"guard 'count mismatch': 1 rows are wrong, first: merchant_id 7, tzid Europe/Rome, bucket_index 50"
    ) as refusal:
        refuse_other_counts(COUNTED, made, 48, CELLS)
    assert refusal.value.reason is Reason.ENGINE_GUARD_TRIPPED


@pytest.mark.parametrize("us", [999, 2_000])
def test_an_arrival_outside_of_its_days_trips_its_guard(us: int) -> None:
    times = pl.Series([1_000, us, 1_999]).cast(pl.Datetime("us", "UTC"))
    with pytest.raises(Stop, match="guard 'arrival outside of the horizon': 1 rows"):
        refuse_other_times(times, 1_000, 2_000)
    refuse_other_times(times.filter(pl.Series([True, False, True])), 1_000, 2_000)
    refuse_other_times(times.head(0), 1_000, 2_000)


def test_a_changed_count_stops_s4_before_anything_is_written() -> None:
    world = small_world()
    segment = world.segments[-1]
    state = segment.states[-1]
    scene = world.scene(segment, state.name)

    def read(output_id: str, part: int | None, columns: Any) -> pl.DataFrame:
        rows = scene.reader(output_id, part, columns)
        more = (
            pl.when(pl.int_range(pl.len()) == 0).then(pl.col("count") + 1).otherwise(pl.col("count"))
            if output_id == "s3_bucket_counts_5B"
            else None
        )
        return rows if more is None else rows.with_columns(count=more)

    assert state.prepare is not None
    changed = type(scene)(scene.identity, scene.parameters, segment, state.name, scene.inputs, read)
    prepared = type(scene)(scene.identity, scene.parameters, segment, state.name, scene.inputs, read, state.prepare(changed))
    with pytest.raises(Stop, match="count mismatch"):
        state.make(prepared, 0)
