"""Devices and addresses: who shares them, how many, and how near."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from entity_worlds import ends, entity_world, mean
from hypothesis import given
from hypothesis import strategies as st

from assay.engine.entities import outputs
from assay.engine.entities.addresses_kernel import address_of, dealt
from assay.engine.entities.documents import Addresses, Devices
from assay.engine.entities.households_kernel import household
from assay.engine.philox import stream_key


def test_every_party_has_a_device_and_no_cap_is_breached() -> None:
    document = entity_world().parameters.of(Devices)
    parties, links = entity_world().rows(outputs.PARTY_BASE), entity_world().rows(outputs.DEVICE_LINKS)
    owners = links.filter(pl.col("link_role") != "SHARED_USER")
    assert owners["device_id"].to_list() == entity_world().rows(outputs.DEVICE_BASE)["device_id"].to_list()
    assert owners["party_id"].n_unique() == len(parties)
    assert ends(links["party_id"].value_counts()["count"])[1] <= document.devices_per_party_max
    users = links["device_id"].value_counts()["count"]
    assert ends(users)[1] <= document.parties_per_device_max
    assert users.n_unique() >= 4


def test_devices_are_shared_as_often_as_their_type_says() -> None:
    document = entity_world().parameters.of(Devices)
    links, devices = entity_world().rows(outputs.DEVICE_LINKS), entity_world().rows(outputs.DEVICE_BASE)
    shared = devices.join(links.group_by("device_id").len("users"), on="device_id").with_columns(shared=pl.col("users") > 1)
    for (name,), group in shared.group_by("device_type"):
        wanted = document.sharing[str(name)]
        # the largest count of shared devices, and households cut off at the end of their frame, take a tenth of them at most
        margin = 5 * np.sqrt(wanted * (1 - wanted) / len(group))
        assert 0.88 * wanted - margin <= mean(group["shared"]) <= wanted + margin, name


def test_no_party_shares_more_of_its_devices_than_it_may() -> None:
    links = entity_world().rows(outputs.DEVICE_LINKS)
    shared = links.filter(pl.col("link_role") == "SHARED_USER")["device_id"].unique()
    owners = entity_world().rows(outputs.DEVICE_BASE).filter(pl.col("device_id").is_in(shared.implode()))["primary_party_id"]
    assert ends(owners.value_counts()["count"])[1] == entity_world().parameters.of(Devices).shared_per_party_max


def test_those_who_share_a_device_are_neighbours_of_one_country_and_type() -> None:
    parties, links = entity_world().rows(outputs.PARTY_BASE), entity_world().rows(outputs.DEVICE_LINKS)
    owners = links.filter(pl.col("link_role") != "SHARED_USER").select("device_id", owner="party_id")
    users = links.filter(pl.col("link_role") == "SHARED_USER").join(owners, on="device_id")
    assert ((users["party_id"] - users["owner"]).abs() < 6).all()
    assert (users["party_id"] != users["owner"]).all()
    facts = parties.select("party_id", "country_iso", "party_type")
    both = users.join(facts, on="party_id").join(facts, left_on="owner", right_on="party_id", suffix="_owner")
    assert (both["country_iso"] == both["country_iso_owner"]).all()
    assert (both["party_type"] == both["party_type_owner"]).all()


def test_accounts_and_tokens_on_a_device_are_its_owners() -> None:
    links = entity_world().rows(outputs.DEVICE_LINKS)
    assert links.filter(pl.col("link_role") == "SHARED_USER")["account_id"].null_count() == (links["link_role"] == "SHARED_USER").sum()
    accounts = links.drop_nulls("account_id").join(entity_world().rows(outputs.ACCOUNT_BASE), on="account_id")
    assert (accounts["party_id"] == accounts["owner_party_id"]).all()
    assert 0.5 < len(accounts) / len(links) < 0.8
    tokens = links.drop_nulls("instrument_id").join(entity_world().rows(outputs.INSTRUMENT_BASE), on="instrument_id")
    assert len(tokens) > 0.05 * len(links)
    assert tokens["instrument_id"].is_unique().all()
    assert (tokens["party_id"] == tokens["owner_party_id"]).all()
    assert (tokens["account_id"] == tokens["account_id_right"]).all()
    assert {*tokens["instrument_type"]} == {"WALLET_DEVICE_TOKEN"}


def test_every_device_is_seen_on_an_address_of_its_country() -> None:
    document = entity_world().parameters.of(Addresses)
    devices, links = entity_world().rows(outputs.DEVICE_BASE), entity_world().rows(outputs.IP_LINKS)
    assert links["device_id"].unique().sort().equals(devices["device_id"])
    assert ends(links["device_id"].value_counts()["count"])[1] <= document.addresses_per_device_max
    joined = links.join(devices, on="device_id").join(entity_world().rows(outputs.IP_BASE), on="ip_id")
    assert len(joined) == len(links)
    assert (joined["home_country_iso"] == joined["country_iso"]).all()
    assert (joined["party_id"] == joined["primary_party_id"]).all()
    assert joined.group_by("ip_type").agg(pl.col("link_role").n_unique())["link_role"].to_list() == [1] * 8


def test_no_address_has_more_devices_than_its_capacity() -> None:
    document = entity_world().parameters.of(Addresses)
    addresses, links = entity_world().rows(outputs.IP_BASE), entity_world().rows(outputs.IP_LINKS)
    demand = entity_world().rows(outputs.IP_DEMAND)
    assert addresses["link_capacity"].sum() == demand["link_count"].sum()
    found = addresses.join(links.group_by("ip_id").len("devices"), on="ip_id", how="left").with_columns(pl.col("devices").fill_null(0))
    assert (found["devices"] <= found["link_capacity"]).all()
    assert ends(addresses["link_capacity"])[1] <= document.devices_per_address_max
    assert np.quantile(found["devices"].to_numpy(), 0.99) <= document.devices_per_address_p99_max
    # few links are left out because a device would have had an address twice
    assert len(links) > 0.9 * int(demand["link_count"].sum())


def test_addresses_have_the_mix_of_their_region() -> None:
    document = entity_world().parameters.of(Addresses)
    addresses = entity_world().rows(outputs.IP_BASE).filter(pl.col("country_iso") == "GB")
    mix = document.mix["REGION_EMEA"]
    for name, share in mix.items():
        # whole numbers, and one at least
        assert abs(mean(addresses["ip_type"] == name) - share) * len(addresses) <= 2 + 0.02 * len(addresses)


def test_neighbours_share_addresses_and_strangers_do_not() -> None:
    links = entity_world().rows(outputs.IP_LINKS).filter(pl.col("link_role") == "HOME").select("ip_id", "party_id").unique()
    lines = links.group_by("party_id").agg(pl.col("ip_id").min()).sort("party_id")
    after = lines.shift(-1)
    neighbours = (after["party_id"] - lines["party_id"] == 1).fill_null(value=False)
    assert mean((lines["ip_id"] == after["ip_id"]).filter(neighbours)) > 0.7
    assert not (lines["ip_id"] == lines["ip_id"].shift(-200)).any()


@given(st.integers(0, 2**40), st.integers(1, 3_000), st.integers(0, 12))
def test_dealing_permutes_links_within_blocks(seed: int, total: int, width: int) -> None:
    key = stream_key("dealt", seed)
    places = [int(dealt(key, 3, link, width, total)) for link in range(min(total, 400))]
    assert len({*places}) == len(places)
    assert all(place >> width == link >> width and place < total for link, place in enumerate(places))
    whole = [int(dealt(key, 3, link, 5, min(total, 100))) for link in range(min(total, 100))]
    assert sorted(whole) == list(range(len(whole)))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30).filter(any))
def test_a_place_belongs_to_the_first_address_that_it_fits(capacity: list[int]) -> None:
    ends = np.cumsum(capacity)
    for place in range(int(ends[-1])):
        assert address_of(place, ends, 0, len(ends)) == next(at for at, end in enumerate(ends) if place < end)


@given(st.integers(0, 2**40), st.integers(0, 500), st.integers(1, 90))
def test_households_cover_a_cell_without_gaps(seed: int, start: int, parties: int) -> None:
    key, sizes = stream_key("household", seed), np.cumsum([30.0, 32.0, 17.0, 13.0, 5.0, 3.0])
    found = [tuple(int(bound) for bound in household(key, party, start, start + parties, sizes)) for party in range(start, start + parties)]
    assert all(begin <= party < end and end - begin <= 6 for party, (begin, end) in enumerate(found, start))
    distinct = sorted({*found})
    assert distinct[0][0] == start
    assert distinct[-1][1] == start + parties
    assert all(before[1] == after[0] for before, after in zip(distinct, distinct[1:], strict=False))


@pytest.mark.parametrize("kind", ["MOBILE_PHONE", "LAPTOP"])
def test_retail_devices_have_the_mix_of_the_reference(kind: str) -> None:
    owners = entity_world().rows(outputs.PARTY_BASE).filter(pl.col("party_type") == "RETAIL")
    devices = entity_world().rows(outputs.DEVICE_BASE).filter(pl.col("primary_party_id").is_in(owners["party_id"].implode()))
    assert mean(devices["device_type"] == kind) == pytest.approx({"MOBILE_PHONE": 0.60, "LAPTOP": 0.12}[kind], abs=0.015)
