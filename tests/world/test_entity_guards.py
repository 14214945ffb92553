"""Guards of 6A: each is tripped by a planted input, stops the segment, and leaves no flag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from entity_worlds import World, entity_world, identity, made_in_memory, maker, parameters_of

from assay.app.stores.objects import DirectoryStore
from assay.app.world.bundles import status_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.engine.entities import guards, outputs
from assay.engine.entities.addresses import S4_LINKS, prepare_links
from assay.engine.entities.documents import Accounts
from assay.engine.entities.segment import SEGMENT_6A
from assay.engine.entities.vocabulary import DEVICE_ROLES
from assay.engine.output import Output
from assay.engine.parameters import read_shipped

WHERE = "planted"
PARTIES = pl.DataFrame({"party_id": [11, 12, 13], "region_id": ["REGION_EMEA"] * 3})
_KIND = pl.Enum(["RETAIL_CURRENT_BASIC", "RETAIL_SAVINGS_INSTANT"])
HOLDINGS = pl.DataFrame(
    {
        "owner_party_id": [11, 11, 12],
        "account_type": pl.Series(["RETAIL_CURRENT_BASIC", "RETAIL_SAVINGS_INSTANT", "RETAIL_CURRENT_BASIC"], dtype=_KIND),
        "account_count": [1, 2, 1],
    }
)
ACCOUNTS = pl.DataFrame({"owner_party_id": [11, 11, 11, 12], "account_type": HOLDINGS["account_type"].gather([0, 1, 1, 2])})
DOCUMENT = parameters_of(10).of(Accounts)
COUNTS = np.array([1, 2, 1])


def party_meta(rows: pl.DataFrame) -> None:
    """The guard over parties 11 to 13."""
    guards.party_meta(rows, 10, 13, WHERE)


def agree(accounts: pl.DataFrame) -> None:
    """The guard over the holdings above."""
    guards.holdings_are_accounts(accounts, HOLDINGS, WHERE)


TRIPPED: list[tuple[str, Callable[[], None], str, int]] = [
    ("a party is missing", lambda: party_meta(PARTIES.head(2)), "missing party meta", 13),
    ("a party stands twice", lambda: party_meta(PARTIES[[0, 1, 1]]), "missing party meta", 12),
    ("a party without a region", lambda: party_meta(PARTIES.with_columns(region_id=pl.Series(["X", None, "X"]))), "missing party meta", 12),
    ("an allocation twice", lambda: guards.allocations(HOLDINGS[[0, 1, 1, 2]], WHERE), "duplicate party-account allocation", 11),
    (
        "an allocation twice, far apart",
        lambda: guards.allocations(HOLDINGS[[0, 1, 2, 0]], WHERE),
        "duplicate party-account allocation",
        11,
    ),
    (
        "more accounts than the cap",
        lambda: guards.account_caps(HOLDINGS.with_columns(account_count=pl.Series([1, 5, 1])), DOCUMENT, WHERE),
        "account cap",
        11,
    ),
    (
        "an allocation without accounts",
        lambda: guards.account_caps(HOLDINGS.with_columns(account_count=pl.Series([1, 2, 0])), DOCUMENT, WHERE),
        "account cap",
        12,
    ),
    ("an owner who is no party", lambda: guards.owners(HOLDINGS, 11, 14, WHERE), "missing owner", 11),
    ("no owner", lambda: guards.owners(HOLDINGS.with_columns(owner_party_id=pl.Series([11, None, 12])), 10, 13, WHERE), "missing owner", 0),
    ("an account too few", lambda: agree(ACCOUNTS.head(3)), "holdings differ from accounts", 12),
    ("an account too many", lambda: agree(ACCOUNTS[[0, 1, 1, 2, 3]]), "holdings differ from accounts", 11),
    ("an account of another type", lambda: agree(ACCOUNTS[[0, 0, 1, 3]]), "holdings differ from accounts", 11),
    ("too many instruments", lambda: guards.at_most("instrument cap", "account_id", COUNTS, 1, 5, WHERE), "instrument cap", 6),
    ("too many devices", lambda: guards.at_most("devices of a party", "party_id", COUNTS, 1, 5, WHERE), "devices of a party", 6),
    ("too many addresses", lambda: guards.at_most("addresses of a device", "device_id", COUNTS, 1, 1, WHERE), "addresses of a device", 2),
    (
        "a device without address",
        lambda: guards.each_has_one("device without address", "device_id", COUNTS - 1, 7, WHERE),
        "device without",
        7,
    ),
    ("a link that was not counted", lambda: guards.links_counted(COUNTS, COUNTS - [0, 1, 0], WHERE), "not counted", 1),
    ("a role of no taxonomy", lambda: guards.taxonomy(["BOT_LIKE_DEVICE"], DEVICE_ROLES, WHERE), "role vocabulary", 0),
]


@pytest.mark.parametrize(("name", "look", "guard", "first"), TRIPPED, ids=[row[0] for row in TRIPPED])
def test_a_guard_is_tripped_by_its_planted_input_and_names_it(name: str, look: Callable[[], None], guard: str, first: int) -> None:
    with pytest.raises(Stop) as refused:
        look()
    assert (refused.value.reason, refused.value.where) == (Reason.ENGINE_GUARD_TRIPPED, WHERE)
    assert guard in str(refused.value)
    assert not first or f" {first}" in str(refused.value)


def test_sound_rows_trip_no_guard() -> None:
    party_meta(PARTIES)
    guards.allocations(HOLDINGS, WHERE)
    guards.allocations(HOLDINGS[[2, 0, 1]], WHERE)
    guards.account_caps(HOLDINGS, DOCUMENT, WHERE)
    guards.owners(HOLDINGS, 10, 13, WHERE)
    agree(ACCOUNTS)
    guards.at_most("cap", "id", COUNTS, 2, 1, WHERE)
    guards.each_has_one("one", "id", COUNTS, 1, WHERE)
    guards.links_counted(COUNTS, COUNTS.copy(), WHERE)
    guards.taxonomy(["CLEAN_DEVICE"], DEVICE_ROLES, WHERE)


def _roles(**changes: Any) -> Mapping[str, Any]:
    return {"roles": {**read_shipped("roles.yaml"), **changes}}


#: parameters that make rows which must not exist
MADE: list[tuple[str, Mapping[str, Mapping[str, Any]], str]] = [
    ("instruments above the cap", {"instruments": {"instruments_per_account_max": 3}}, "instrument cap"),
    ("devices above the cap", {"devices": {"devices_per_party_max": 4}}, "devices of a party"),
    ("a crowded address", {"addresses": {"links_per_address": 2_000.0}}, "devices of an address"),
    ("too many addresses", {"addresses": {"addresses_per_device_max": 4}}, "addresses of a device"),
    (
        "a device role of the raw vocabulary",
        _roles(device_roles={tier: {"BOT_LIKE_DEVICE": 0.1} for tier in ("LOW", "STANDARD", "ELEVATED", "HIGH")}),
        "role vocabulary",
    ),
    ("a party role that is unknown", _roles(promoted_accounts={"STRAW_MAN": {"MULE_ACCOUNT": 1.0}}), "role vocabulary"),
]


@pytest.mark.parametrize(("name", "changes", "guard"), MADE, ids=[row[0] for row in MADE])
def test_parameters_that_break_a_promise_stop_the_segment_before_its_flag(
    tmp_path: Path, name: str, changes: Mapping[str, Mapping[str, Any]], guard: str
) -> None:
    store, parameters = DirectoryStore(tmp_path / "world"), parameters_of(3_000, changes=changes)
    with pytest.raises(Stop) as refused:
        maker(store, parameters).make()
    assert refused.value.reason is Reason.ENGINE_GUARD_TRIPPED
    assert guard in str(refused.value)
    assert status_of(store, SEGMENT_6A, identity(parameters)).status == "missing"


def test_links_of_another_count_are_not_published() -> None:
    world = planted(outputs.IP_DEMAND, 1, lambda rows: rows.with_columns(link_count=pl.col("link_count") - 1))
    scene = world.scene(S4_LINKS.name, S4_LINKS.inputs, identity(world.parameters))
    with pytest.raises(Stop) as refused:
        S4_LINKS.make(replace(scene, prepared=prepare_links(scene)), 1)
    assert refused.value.reason is Reason.ENGINE_GUARD_TRIPPED
    assert "links that were not counted" in str(refused.value)


def checked(world: World) -> dict[str, bool]:
    """Check → passed."""
    return {check.name: check.look(world.scene(check.name, check.inputs, identity(world.parameters))).passed for check in SEGMENT_6A.checks}


def planted(output: Output, part: int, change: Callable[[pl.DataFrame], pl.DataFrame]) -> World:
    """The shared world with rows of a part changed."""
    world = entity_world()
    return World(world.parameters, {**world.frames, (output.output_id, part): change(world.frames[output.output_id, part])})


BREACHES: list[tuple[str, Output, Callable[[pl.DataFrame], pl.DataFrame], str]] = [
    ("companies everywhere", outputs.PARTY_SUMMARY, lambda rows: rows.with_columns(party_type=pl.lit("BUSINESS")), "party types"),
    ("no devices", outputs.DEVICE_BASE, lambda rows: rows.head(0), "ratios"),
    ("accounts twice", outputs.ACCOUNT_BASE, lambda rows: pl.concat([rows] * 3), "ratios"),
    ("instruments lost", outputs.INSTRUMENT_BASE, lambda rows: rows.head(0), "ratios"),
    ("a party with every device", outputs.DEVICE_LINKS, lambda rows: rows.with_columns(party_id=pl.lit(3_100)), "devices of a party"),
    ("an address with every device", outputs.IP_LINKS, lambda rows: rows.with_columns(ip_id=pl.lit(1)), "addresses"),
    ("homes only", outputs.IP_BASE, lambda rows: rows.with_columns(ip_type=pl.lit("RESIDENTIAL")), "addresses"),
    ("mules everywhere", outputs.PARTY_ROLES, lambda rows: rows.with_columns(fraud_role_party=pl.lit("MULE")), "risky shares"),
    ("no risky merchant", outputs.MERCHANT_ROLES, lambda rows: rows.with_columns(fraud_role_merchant=pl.lit("NORMAL")), "risky shares"),
]


@pytest.mark.parametrize(("name", "output", "change", "check"), BREACHES, ids=[row[0] for row in BREACHES])
def test_a_planted_breach_fails_its_check(name: str, output: Output, change: Callable[[pl.DataFrame], pl.DataFrame], check: str) -> None:
    part = 0 if len([key for key in entity_world().frames if key[0] == output.output_id]) == 1 else 2
    found = checked(planted(output, part, change))
    assert not found[check]
    assert all(check.required for check in SEGMENT_6A.checks)


@pytest.mark.parametrize("parties", [2_632, 12_000])
def test_a_sound_world_passes_every_check(parties: int) -> None:
    world = entity_world() if parties == 12_000 else made_in_memory(parameters_of(parties))
    assert checked(world) == dict.fromkeys([check.name for check in SEGMENT_6A.checks], True)
