"""Who lives where: shares of countries follow outlets and arrivals, and whole numbers add up."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from entity_worlds import OUTLETS, catalogue, parameters_of, profile
from hypothesis import given
from hypothesis import strategies as st

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.engine.entities.country_shares import apportioned, by_type, country_facts, parties_by_country, shares_of
from assay.engine.entities.documents import CountryWeight, Parties
from assay.engine.scenario import Scale

TYPES = {"RETAIL": "0.962", "BUSINESS": "0.034", "OTHER": "0.004"}
LAW = CountryWeight(outlet_offset=40, outlet_exponent="0.85", arrival_offset=800, arrival_exponent="0.18", max_share="0.70")


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=40), st.integers(0, 10**6))
def test_apportioned_numbers_add_up_and_are_less_than_one_away(weights: list[int], total: int) -> None:
    shares = [Decimal(weight) / sum(weights) for weight in weights]
    found = apportioned(shares, total)
    assert sum(found) == total
    assert all(abs(count - share * total) < 1 for count, share in zip(found, shares, strict=True))


def test_the_largest_remainders_are_rounded_up() -> None:
    assert apportioned([Decimal("0.26"), Decimal("0.37"), Decimal("0.37")], 10) == [2, 4, 4]
    assert apportioned([Decimal("0.5"), Decimal("0.5")], 3) == [2, 1]


@given(st.lists(st.integers(3, 5_000), min_size=1, max_size=60))
def test_types_of_all_countries_have_their_shares_of_the_world(countries: list[int]) -> None:
    found = by_type(countries, TYPES)
    assert [sum(row) for row in found] == countries
    assert all(count >= 0 for row in found for count in row)
    for kind, share in enumerate(TYPES.values()):
        assert abs(sum(row[kind] for row in found) - Decimal(share) * sum(countries)) <= 1


def test_shares_follow_outlets_and_arrivals() -> None:
    facts = {"AA": (100, 0), "BB": (200, 0), "CC": (100, 9_000)}
    exact = [(outlets + 40) ** 0.85 * (arrivals + 800) ** 0.18 for outlets, arrivals in facts.values()]
    assert [float(share) for share in shares_of(facts, LAW)] == pytest.approx([value / sum(exact) for value in exact], rel=1e-12)


def test_no_country_has_more_than_the_largest_share() -> None:
    shares = shares_of({"AA": (100_000, 0), "BB": (10, 0), "CC": (20, 0)}, LAW)
    assert shares[0] == Decimal("0.70")
    assert float(sum(shares)) == pytest.approx(1)


def test_every_country_with_an_outlet_has_its_least_parties() -> None:
    parameters = parameters_of(9_000)
    document = parameters.of(Parties)
    facts = country_facts(catalogue()["outlet_catalogue"], profile()["merchant_zone_profile_5A"])
    assert {country: outlets for country, (outlets, _) in facts.items()} == OUTLETS
    assert facts["GB"] == (200, 2_100)
    found = parties_by_country({**facts, "ZZ": (1, 0)}, document, parameters.of(Scale))
    assert sum(found) == 9_000
    assert min(found) >= 9_000 * document.least_per_million // 10**6


@pytest.mark.parametrize("facts", [{}, {f"C{n}": (5, 5) for n in range(6)}])
def test_fewer_parties_than_countries_are_refused(facts: dict[str, tuple[int, int]]) -> None:
    parameters = parameters_of(5)
    with pytest.raises(Stop) as refused:
        parties_by_country(facts, parameters.of(Parties), parameters.of(Scale))
    assert (refused.value.reason, refused.value.where) == (Reason.ENGINE_PARAMETERS_INVALID, "scale.parties")


def test_volumes_are_summed_in_any_order() -> None:
    rows = profile()["merchant_zone_profile_5A"]
    volumes = pl.concat([rows, rows.with_columns(weekly_volume=pl.col("weekly_volume") * 0.1)])
    outlets = catalogue()["outlet_catalogue"]
    assert country_facts(outlets, volumes) == country_facts(outlets, volumes.reverse())
