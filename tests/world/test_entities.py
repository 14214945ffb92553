"""Parties, accounts, instruments: ids, links and counts, each held against its document."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from entity_worlds import ends, entity_world, mean, spread

from assay.engine.entities import outputs
from assay.engine.entities.counts import mean_of
from assay.engine.entities.documents import Accounts, Instruments, Parties
from assay.engine.entities.vocabulary import DOMESTIC, INSTRUMENT_TYPES
from assay.engine.output import Output

OWNED = [
    (outputs.ACCOUNT_BASE, "account_id", "owner_party_id"),
    (outputs.INSTRUMENT_BASE, "instrument_id", "owner_party_id"),
    (outputs.INSTRUMENT_BASE, "instrument_id", "account_id"),
    (outputs.DEVICE_BASE, "device_id", "primary_party_id"),
]


def near(found: float, expected: float, rows: int, deviation: float = 1.0) -> None:
    """A mean of so many rows within five standard errors."""
    assert abs(found - expected) <= 5 * deviation / np.sqrt(rows), (found, expected, rows)


@pytest.mark.parametrize(("output", "identity", "owner"), OWNED)
def test_ids_are_dense_and_stand_in_the_order_of_their_owners(output: Output, identity: str, owner: str) -> None:
    rows = entity_world().rows(output)
    assert rows[identity].to_list() == list(range(1, len(rows) + 1))
    assert rows[owner].is_sorted()


@pytest.mark.parametrize("output", [one for name, one in vars(outputs).items() if isinstance(one, Output)], ids=lambda one: one.output_id)
def test_keys_name_one_row(output: Output) -> None:
    rows = entity_world().rows(output)
    assert len(rows) > 0
    assert not rows.select(output.keys).is_duplicated().any()


def test_parties_of_a_country_and_type_are_neighbours_and_have_the_mix_of_their_region() -> None:
    rows = entity_world().rows(outputs.PARTY_BASE)
    runs = rows.select(pl.struct("country_iso", "party_type").rle_id()).to_series()
    assert runs.n_unique() == rows.select("country_iso", "party_type").n_unique()
    document = entity_world().parameters.of(Parties)
    assert rows["party_type"].value_counts().filter(pl.col("party_type") == "RETAIL")["count"][0] == pytest.approx(0.962 * len(rows), abs=1)
    for (region, kind), group in rows.group_by("region_id", "party_type"):
        mix = document.segments[str(region)][kind]
        for segment, weight in mix.items():
            share = weight / sum(mix.values())
            near(mean(group["segment_id"] == segment), share, len(group), np.sqrt(share * (1 - share)))


def test_the_summary_counts_the_parties() -> None:
    counted = entity_world().rows(outputs.PARTY_BASE).group_by("country_iso", "party_type", "segment_id", "region_id").len("party_count")
    summary = entity_world().rows(outputs.PARTY_SUMMARY)
    assert (
        counted.sort(pl.all())
        .cast({"party_count": pl.Int64})
        .select(sorted(counted.columns))
        .equals(summary.sort("country_iso", "party_type", "segment_id", "region_id").select(sorted(counted.columns)))
    )


def test_holdings_are_the_accounts_and_no_cap_is_breached() -> None:
    document = entity_world().parameters.of(Accounts)
    accounts, holdings = entity_world().rows(outputs.ACCOUNT_BASE), entity_world().rows(outputs.HOLDINGS)
    counted = accounts.group_by("owner_party_id", "account_type", maintain_order=True).len("account_count")
    assert counted.cast({"account_count": pl.Int64}).equals(holdings)
    for (name,), group in holdings.group_by("account_type"):
        least, most = ends(group["account_count"])
        assert 1 <= least <= most <= document.law(str(name)).cap


def test_accounts_have_the_facts_of_their_owner() -> None:
    parties, accounts = entity_world().rows(outputs.PARTY_BASE), entity_world().rows(outputs.ACCOUNT_BASE)
    facts = ["party_type", "segment_id", "region_id", "country_iso"]
    owners = accounts.select(party_id="owner_party_id")
    joined = owners.join(parties, on="party_id", how="left", maintain_order="left")
    assert joined.select(facts).equals(accounts.select(facts))
    assert accounts.select(pl.col("account_type").cast(pl.String).str.starts_with(pl.col("party_type").cast(pl.String))).to_series().all()


def test_accounts_of_each_segment_and_type_have_the_mean_of_their_law() -> None:
    document = entity_world().parameters.of(Accounts)
    parties, accounts = entity_world().rows(outputs.PARTY_BASE), entity_world().rows(outputs.ACCOUNT_BASE)
    counted = accounts.group_by("segment_id", "account_type").len()
    counts = {(segment, kind): count for segment, kind, count in counted.iter_rows()}
    for segment, total in parties.group_by("segment_id").len().iter_rows():
        for name, law in document.laws[segment.partition("_")[0]].items():
            running = law.running(document.factors.get(segment, {}).get(name, "1"))
            squares = sum((2 * n + 1) * (1 - chance) for n, chance in enumerate(running))
            deviation = np.sqrt(max(squares - mean_of(running) ** 2, 0))
            near(counts.get((segment, name), 0) / total, mean_of(running), total, deviation + 1e-9)


def test_every_current_account_has_an_instrument_and_none_has_too_many() -> None:
    document = entity_world().parameters.of(Instruments)
    accounts, instruments = entity_world().rows(outputs.ACCOUNT_BASE), entity_world().rows(outputs.INSTRUMENT_BASE)
    held = instruments.group_by("account_id").len("held")
    counted = accounts.join(held, on="account_id", how="left").with_columns(pl.col("held").fill_null(0))
    for (name,), group in counted.group_by("account_type"):
        law = document.laws[str(name)]
        least, most = ends(group["held"])
        assert law.least <= least <= most <= min(law.cap, document.instruments_per_account_max)
        near(mean(group["held"]), mean_of(law.running()), len(group), spread(group["held"]))
    assert 0.24 < mean(counted["held"] == 0) < 0.34


def test_an_instruments_type_fits_its_account_and_its_scheme_fits_its_type() -> None:
    document = entity_world().parameters.of(Instruments)
    accounts, instruments = entity_world().rows(outputs.ACCOUNT_BASE), entity_world().rows(outputs.INSTRUMENT_BASE)
    rows = instruments.join(accounts.select("account_id", "account_type", "region_id"), on="account_id", maintain_order="left")
    rows = rows.with_columns(first=pl.col("account_id").ne_missing(pl.col("account_id").shift()))
    found = rows.select("account_type", "first", "instrument_type", "scheme", "region_id").unique()
    assert len(found) > 100
    for account_type, first, kind, scheme, region in found.iter_rows():
        types = document.types[account_type]
        assert (types.first if first else types.further).get(kind, 0) > 0
        assert (document.domestic_schemes[region] if kind == INSTRUMENT_TYPES[DOMESTIC] else document.schemes[kind]).get(scheme, 0) > 0


def test_links_of_instruments_are_the_instruments() -> None:
    columns = ["account_id", "instrument_id", "instrument_type", "scheme"]
    assert entity_world().rows(outputs.INSTRUMENT_BASE).select(columns).equals(entity_world().rows(outputs.INSTRUMENT_LINKS))
