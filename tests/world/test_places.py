"""Layer 1: merchants, outlets, sites, zones, weights and edges are as the parameters say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from engine_worlds import SEGMENTS, EngineWorld, parameters
from figures import num

from assay.app.world.bundles import status_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.engine.guards import covered, sums_to_one, unique
from assay.engine.places.documents import DEMAND_CLASSES, Countries, Places, Zones, country_words, zone_words
from assay.engine.places.segment import LAYER_1
from assay.engine.scenario import Scenario
from assay.engine.segment import Scene, Segment, State

#: standard errors that a measured value may be away from its expectation
ERRORS = 5


def within(measured: float, expected: float, deviation: float) -> bool:
    """Whether a mean is where theory puts it. `deviation`: of the mean."""
    return abs(measured - expected) <= ERRORS * deviation


@pytest.fixture(scope="module")
def many() -> EngineWorld:
    """The merchants of the full scale."""
    return EngineWorld(parameters({"scale": {"merchants": 1_238}}), segments=LAYER_1).made()


def test_outlets_of_merchants_have_the_facts_of_the_reference(many: EngineWorld) -> None:
    sizes = many.table("outlet_catalogue").group_by("merchant_id").len()["len"]
    assert len(sizes) == 1_238
    assert num(sizes.min()) >= 2
    assert 14 <= num(sizes.median()) <= 18
    assert 32 <= num(sizes.quantile(0.9)) <= 42
    assert 300 <= num(sizes.max()) <= 2_546
    assert 20 <= num(sizes.mean()) <= 32


def test_the_mix_of_merchants_is_that_of_the_weights(many: EngineWorld) -> None:
    merchants = many.table("outlet_catalogue").unique("merchant_id")
    weights = many.parameters.of(Places).mcc_classes
    for name, weight in weights.items():
        share = weight / sum(weights.values())
        assert within(num((merchants["mcc_class"] == name).mean()), share, math.sqrt(share * (1 - share) / len(merchants))), name
    countries = many.parameters.of(Countries).countries
    share = countries["GB"].share / sum(country.share for country in countries.values())
    assert within(num((merchants["home_country_iso"] == "GB").mean()), share, math.sqrt(share * (1 - share) / len(merchants)))


def abroad(world: EngineWorld) -> pl.Series:
    """The share of each merchant's outlets that stands abroad."""
    outlets = world.table("outlet_catalogue").with_columns(away=pl.col("country_iso").ne(pl.col("home_country_iso").cast(pl.String)))
    return outlets.group_by("merchant_id").agg(pl.col("away").mean())["away"]


def test_some_merchants_have_outlets_abroad(many: EngineWorld) -> None:
    weights = many.parameters.of(Places).foreign.countries
    share = 1 - weights[0] / sum(weights)
    assert 0.6 * share <= num((abroad(many) > 0).mean()) <= share + ERRORS * math.sqrt(share * (1 - share) / 1_238)


def test_every_merchant_has_an_outlet_at_home_be_it_ever_so_small() -> None:
    law = {"least": 2, "mu": "0", "sigma": "0.1", "tail_share": 0.0, "tail_exponent": "1", "tail_from": "60", "most": "2547"}
    changes = {"outlets": law, "foreign": {"countries": [0, 1], "outlet_share": 0.9, "region_affinity": 1.0}}
    world = EngineWorld(parameters({"places": changes}), segments=LAYER_1[:1]).made()
    assert abroad(world).to_list().count(0.5) > 40
    assert abroad(world).max() == 0.5


def test_ids_are_unique_hash_like_and_fit_signed_integers(many: EngineWorld) -> None:
    for output, column in (("outlet_catalogue", "site_id"), ("edge_catalogue_3B", "edge_id")):
        ids = many.table(output)[column]
        assert ids.n_unique() == len(ids)
        assert 0 < num(ids.min()) < num(ids.max()) < 2**63
        assert within(num(ids.cast(pl.Float64).mean()) / 2**63, 0.5, math.sqrt(1 / 12 / len(ids)))
    outlets = many.table("outlet_catalogue")
    assert outlets["merchant_id"].is_sorted()
    assert not outlets.select("merchant_id", "country_iso", "site_order").is_duplicated().any()
    orders = outlets.group_by("merchant_id", "country_iso").agg(pl.col("site_order").max().alias("last"), pl.len())
    assert (orders["last"] == orders["len"]).all()


def test_sites_stand_around_cities_and_in_the_zone_of_one_of_their_country(many: EngineWorld) -> None:
    countries, radius = many.parameters.of(Countries).countries, many.parameters.of(Places).city_radius_deg
    sites = many.table("site_locations").join(many.table("site_timezones").select("site_id", "tzid"), on="site_id")
    assert len(sites) == len(many.table("outlet_catalogue"))
    for row in sites.sample(500, seed=1).iter_rows(named=True):
        near = [
            city.tzid
            for city in countries[row["country_iso"]].cities
            if abs(city.lat - row["lat"]) <= radius and abs(city.lon - row["lon"]) <= radius
        ]
        assert row["tzid"] in near
    assert all(round(degrees, 6) == degrees for name in ("lat", "lon") for degrees in sites[name].to_list())


def test_zone_counts_are_those_of_the_sites(many: EngineWorld) -> None:
    keys = ["merchant_id", "country_iso", "tzid"]
    counted = many.table("site_timezones").group_by(keys).len().sort(keys)
    assert counted["len"].to_list() == many.table("zone_alloc").sort(keys)["site_count"].to_list()


def test_civil_time_is_that_of_the_iana_database() -> None:
    document = parameters().of(Zones)
    for tzid in zone_words():
        changes, zone = document.zones[tzid], ZoneInfo(tzid)
        for hour in range(int(document.valid_from_utc.timestamp()), int(document.valid_to_utc.timestamp()), 3600):
            instant = datetime.fromtimestamp(hour, UTC)
            offset = [change.offset_s for change in changes if change.from_utc <= instant][-1]
            assert instant.astimezone(zone).utcoffset() == timedelta(seconds=offset), (tzid, instant)


def test_weights_of_sites_and_edges_sum_to_one_and_day_effects_have_their_variance(many: EngineWorld) -> None:
    for output in ("s1_site_weights", "edge_catalogue_3B"):
        sums = many.table(output).group_by("merchant_id").agg(pl.col("weight").sum())["weight"]
        assert ((sums - 1).abs() < 1e-9).all()
    shape, factors = many.parameters.of(Places).day_effect_shape, many.table("s3_day_effects")["factor"]
    assert len(factors) == 1_238 * many.parameters.of(Scenario).days
    assert within(num(factors.mean()), 1, math.sqrt(1 / shape / len(factors)))
    # the kurtosis of a gamma is 3 + 6 / shape
    assert within(num(factors.var()), 1 / shape, math.sqrt((2 + 6 / shape) / len(factors)) / shape + 0.001 / shape)


def test_online_merchants_are_the_wanted_share_and_have_edges_at_home_and_abroad(many: EngineWorld) -> None:
    places, classified = many.parameters.of(Places), many.table("virtual_classification_3B")
    online = classified.filter("is_virtual")
    assert (len(classified), len(online)) == (1_238, round(places.virtual.share * 1_238))
    merchants = many.table("outlet_catalogue").unique("merchant_id").join(online, on="merchant_id")
    assert {*merchants["channel"]} == {"ECOM"}
    assert {*merchants["demand_class"]} <= {*places.virtual.classes}
    edges = many.table("edge_catalogue_3B")
    assert {*edges["merchant_id"]} == {*online["merchant_id"]}
    assert edges.group_by("merchant_id").len()["len"].unique().to_list() == [places.virtual.edges]
    assert edges["country_iso"].n_unique() > 20
    home = many.table("site_timezones").select("merchant_id", "tzid").unique()
    settled = classified.rename({"settlement_tzid": "tzid"}).join(home, on=["merchant_id", "tzid"], how="anti")
    assert len(settled) == 0


def test_a_zone_says_its_country() -> None:
    countries = parameters().of(Countries).countries
    assert len(countries) >= 40
    assert tuple(sorted(countries)) == country_words()
    zones = [(city.tzid, iso) for iso, country in countries.items() for city in country.cities]
    assert len({*zones}) == len({tzid for tzid, _ in zones})
    assert {country.region for country in countries.values()} == {
        "REGION_AFRICA",
        "REGION_AMER",
        "REGION_APAC",
        "REGION_EMEA",
        "REGION_LATAM",
    }


ROWS = pl.DataFrame({"merchant_id": [1, 2, 2], "site_id": [5, 6, 7], "weight": [1.0, 0.5, 0.5]})
GUARDS = {
    "duplicate merchant id": lambda: unique("duplicate merchant id", ROWS, ["merchant_id"], "outlet_catalogue"),
    "outlet without location": lambda: covered("outlet without location", ROWS, ROWS.head(2), ["site_id"], "site_locations"),
    "site without zone": lambda: covered("site without zone", ROWS, ROWS.tail(2), ["site_id"], "site_timezones"),
    "weights that do not sum to 1": lambda: sums_to_one("weights that do not sum to 1", ROWS.head(2), "merchant_id", "weight", "x"),
    "negative weights": lambda: sums_to_one(
        "negative weights", ROWS.with_columns(weight=pl.Series([1.0, 1.5, -0.5])), "merchant_id", "weight", "x"
    ),
    "weights that are no numbers": lambda: sums_to_one(
        "weights that are no numbers", ROWS.with_columns(weight=pl.Series([1.0, math.nan, 1.0])), "merchant_id", "weight", "x"
    ),
}


@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_names_itself_and_the_first_wrong_rows(name: str) -> None:
    with pytest.raises(Stop) as refusal:
        GUARDS[name]()
    assert refusal.value.reason is Reason.ENGINE_GUARD_TRIPPED
    assert f"guard '{name}'" in str(refusal.value)
    assert "first: " in str(refusal.value)


def test_guards_let_right_rows_pass() -> None:
    unique("a", ROWS, ["site_id"], "x")
    covered("b", ROWS, ROWS, ["site_id"], "x")
    sums_to_one("c", ROWS, "merchant_id", "weight", "x")


def without_a_small_zone(rows: pl.DataFrame) -> pl.DataFrame:
    """Without the smallest zone of the merchant with the most zones, which is not where it is at home."""
    most = rows["merchant_id"].mode().sort()[0]
    smallest = rows.with_row_index("at").filter(pl.col("merchant_id") == most).sort("site_count", "at")["at"][0]
    return rows.filter(pl.int_range(pl.len()) != smallest)


def without_last(rows: pl.DataFrame) -> pl.DataFrame:
    """A row is lost."""
    return rows.head(-1)


def times(column: str, by: float) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A column is scaled."""
    return lambda rows: rows.with_columns(pl.col(column) * by)


#: planted in an output → the segment that stops, and the words of its refusal
PLANTED = [
    ("site_locations", without_last, "1B", "guard 'outlet without location'"),
    ("site_locations", times("lat", 0.5), "1B", "check 'outlets at sites near cities of their country'"),
    ("outlet_catalogue", lambda rows: rows.filter(pl.col("merchant_id") != rows["merchant_id"][0]), "1A", "check 'outlets of a merchant'"),
    ("site_timezones", without_last, "2B", "guard 'site without zone'"),
    ("s1_site_weights", times("weight", 1.001), "2B", "guard 'weights that do not sum to 1'"),
    ("s3_day_effects", times("factor", 1.2), "2B", "check 'weights and day effects'"),
    ("zone_alloc", without_a_small_zone, "5A", "guard 'zone without count'"),
    ("edge_catalogue_3B", times("weight", 2), "5A", "guard 'weights that do not sum to 1'"),
    (
        "edge_catalogue_3B",
        lambda rows: rows.filter(pl.col("merchant_id") != rows["merchant_id"][0]),
        "5A",
        "guard 'online merchant without edge'",
    ),
    ("merchant_zone_profile_5A", times("weekly_volume", 1.1), "5A", "check 'shares and volumes'"),
    ("class_zone_shape_5A", times("share", 1.1), "5A", "guard 'shares that do not sum to 1'"),
    ("s2_realised_intensity_5B", times("lambda_realised", 2), "5B", "check 'number of arrivals'"),
]


@pytest.mark.parametrize(("output_id", "damage", "stops", "words"), PLANTED, ids=[f"{row[0]}-{row[3]}" for row in PLANTED])
def test_a_planted_breach_stops_its_reader_which_leaves_no_flag(
    output_id: str, damage: Callable[[pl.DataFrame], pl.DataFrame], stops: str, words: str
) -> None:
    world = EngineWorld(parameters(), segments=[planted(segment, output_id, damage) for segment in SEGMENTS])
    with pytest.raises(Stop, match=words) as refusal:
        world.made()
    assert refusal.value.reason is (Reason.ENGINE_GUARD_TRIPPED if words.startswith("guard") else Reason.ENGINE_CHECK_FAILED)
    statuses = {segment.segment_id: status_of(world.store, segment, world.identity).status for segment in world.segments}
    names = list(statuses)
    before = names[: names.index(stops)]
    assert [name for name in names if statuses[name] == "PASS"] == before
    assert {statuses[name] for name in names[len(before) :]} == {"missing"}


def planted(segment: Segment, output_id: str, damage: Callable[[pl.DataFrame], pl.DataFrame]) -> Segment:
    """A segment whose state damages one of its outputs."""
    return replace(segment, states=tuple(_damaging(state, output_id, damage) for state in segment.states))


def _damaging(state: State, output_id: str, damage: Callable[[pl.DataFrame], pl.DataFrame]) -> State:
    if all(output.output_id != output_id for output in state.outputs):
        return state

    def make(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
        made = state.make(scene, part)
        return {**made, output_id: damage(made[output_id])}

    return replace(state, make=make)


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ("countries", {"countries": {}}),
        ("places", {"mcc_classes": {"TRAVEL": 0}}),
        ("places", {"city_radius_deg": 3.0}),
        ("places", {"channels": {"online_24h": {"ECOM": 1}}}),
        ("scenario", {"start_utc": "2026-01-01T05:00:00Z"}),
        ("scenario", {"start_utc": "2026-12-01T00:00:00Z"}),
        ("scenario", {"start_utc": "2024-01-01T00:00:00Z"}),
    ],
)
def test_parameters_out_of_place_are_refused(document: str, fields: dict[str, object]) -> None:
    with pytest.raises(Stop) as refusal:
        EngineWorld(parameters({document: fields}), segments=LAYER_1[:3]).made()
    assert refusal.value.reason is Reason.ENGINE_PARAMETERS_INVALID


def test_a_world_without_a_merchant_that_could_be_online_has_no_edge() -> None:
    channels = {name: {"POS": 1} for name in DEMAND_CLASSES}
    world = EngineWorld(parameters({"places": {"channels": channels}})).made()
    assert not world.table("virtual_classification_3B")["is_virtual"].any()
    assert len(world.table("edge_catalogue_3B")) == 0
    assert len(world.table("arrival_events_5B")) > 0
