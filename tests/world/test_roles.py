"""Roles: each tier has the chances of its document, risky owners pass their risk on, and every world has what campaigns need."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from entity_worlds import entity_world, mean, spread
from hypothesis import given
from hypothesis import strategies as st

from assay.engine.entities import outputs
from assay.engine.entities.role_document import Roles
from assay.engine.entities.roles_kernel import draw_party_roles
from assay.engine.entities.unowned_roles import merchant_scores, with_least
from assay.engine.entities.vocabulary import MERCHANT_ROLES, TIERS
from assay.engine.output import Output
from assay.engine.philox import stream_key
from assay.engine.quantiles import normal

RISKY = pl.col("fraud_role_party") != "CLEAN"


def document() -> Roles:
    """The shipped document."""
    return entity_world().parameters.of(Roles)


def near(found: float, share: float, rows: int) -> None:
    """A share within five standard errors, and a little for shares near 0."""
    assert abs(found - share) <= 5 * np.sqrt(share * (1 - share) / rows) + 3 / rows, (found, share, rows)


def parties() -> pl.DataFrame:
    """Parties with role and tier."""
    return entity_world().rows(outputs.PARTY_BASE).join(entity_world().rows(outputs.PARTY_ROLES), on="party_id")


def test_every_entity_has_one_role() -> None:
    for base, roles in (
        (outputs.PARTY_BASE, outputs.PARTY_ROLES),
        (outputs.ACCOUNT_BASE, outputs.ACCOUNT_ROLES),
        (outputs.DEVICE_BASE, outputs.DEVICE_ROLES),
        (outputs.IP_BASE, outputs.IP_ROLES),
    ):
        assert entity_world().rows(roles)[roles.keys[0]].equals(entity_world().rows(base)[base.keys[0]])


def test_parties_of_a_tier_have_the_chances_of_the_tier() -> None:
    seen = set()
    for (kind, tier), group in parties().group_by("party_type", "risk_tier"):
        seen.add(tier)
        for role, chance in document().party_roles[kind][str(tier)].items():
            near(mean(group["fraud_role_party"] == role), chance, len(group))
    assert seen == {*TIERS}


#: anonymous, shared, owned devices, credit accounts → score without spreads, where the segment says .5
SCORES = [
    ((0, 0, 4, 0), 0.5 - 0.2 * 0.1 - 0.1 * 0.05 - 0.1 * 0.4 + 0.4 * (0.5 - 0.25)),
    ((4, 0, 4, 0), 0.5 + 0.2 * 0.9 - 0.1 * 0.05 - 0.1 * 0.4 + 0.4 * (0.5 - 0.25)),
    ((0, 2, 4, 0), 0.5 - 0.2 * 0.1 + 0.1 * 0.45 - 0.1 * 0.4 + 0.4 * (0.5 - 0.25)),
    ((0, 0, 4, 3), 0.5 - 0.2 * 0.1 - 0.1 * 0.05 + 0.1 * 0.6 + 0.4 * (0.5 - 0.25)),
    ((0, 0, 1, 0), 0.5 - 0.2 * 0.1 - 0.1 * 0.05 - 0.1 * 0.4 + 0.4 * (0.125 - 0.25)),
    ((0, 0, 12, 0), 0.5 - 0.2 * 0.1 - 0.1 * 0.05 - 0.1 * 0.4 + 0.4 * (1.0 - 0.25)),
    ((0, 0, 0, 0), 0.5 - 0.2 * 0.1 - 0.1 * 0.05 - 0.1 * 0.4 - 0.4 * 0.25),
]


def tiers_with(ends: list[float]) -> list[int]:
    """Tiers of the parties above if tiers end at these scores."""
    anonymous, shared, owned, credit = (np.array(column) for column in zip(*(row for row, _ in SCORES), strict=True))
    codes, found = np.zeros(len(SCORES), np.uint8), np.empty((2, len(SCORES)), np.uint8)
    draw_party_roles(
        *((stream_key("party"), stream_key("district")), 0, codes, codes, anonymous, shared, owned, credit, np.array([0.5])),
        *(np.array([0.2, 0.1, 0.1, 0.4]), np.array([0.1, 0.05, 0.4, 0.25]), np.zeros(2), 64, normal(), np.array(ends)),
        *(np.array([1.0] * (len(ends) + 1)), 1, found[0], found[1]),
    )
    return [int(tier) for tier in found[1]]


@pytest.mark.parametrize("row", range(len(SCORES)))
def test_a_partys_score_weighs_its_features_and_a_tier_ends_at_its_score(row: int) -> None:
    score = SCORES[row][1]
    assert tiers_with([-9.0, score - 1e-9, score + 1e-9])[row] == 2
    assert tiers_with([score + 1e-9, 8.0, 9.0])[row] == 0
    assert tiers_with([-9.0, -8.0, score - 1e-9])[row] == 3


def test_risky_neighbours_live_near_each_other() -> None:
    tiers = parties().select(pl.col("risk_tier").to_physical().cast(pl.Float64), district=(pl.col("party_id") - 1) // 64)
    means = tiers.group_by("district").agg(pl.col("risk_tier").mean(), pl.len()).filter(pl.col("len") == 64)["risk_tier"]
    assert spread(means) > 1.5 * spread(tiers["risk_tier"]) / 8


def owners_of_shared() -> pl.Series:
    """Parties with a device that others use too."""
    shared = entity_world().rows(outputs.DEVICE_LINKS).filter(pl.col("link_role") == "SHARED_USER")["device_id"].unique()
    devices = entity_world().rows(outputs.DEVICE_BASE)
    return devices.filter(pl.col("device_id").is_in(shared.implode()))["primary_party_id"].unique()


def test_anonymizing_addresses_raise_the_tier() -> None:
    links = entity_world().rows(outputs.IP_LINKS).filter(pl.col("link_role") == "ANONYMIZER")["party_id"].unique()
    tier = pl.col("risk_tier").to_physical()
    groups = parties().group_by(pl.col("party_id").is_in(links.implode()).alias("hidden")).agg(tier.mean()).sort("hidden")
    assert groups["risk_tier"][1] > groups["risk_tier"][0] + 0.05


def test_shared_devices_raise_the_tier() -> None:
    two = entity_world().rows(outputs.DEVICE_BASE).group_by("primary_party_id").len().filter(pl.col("len") == 2)["primary_party_id"]
    rows = parties().filter(pl.col("party_id").is_in(two.implode())).with_columns(tier=pl.col("risk_tier").to_physical())
    sharing = rows["party_id"].is_in(owners_of_shared().implode())
    assert mean(rows["tier"].filter(sharing)) > mean(rows["tier"].filter(~sharing)) + 0.08


@pytest.mark.parametrize(
    ("base", "roles", "owner", "entity"),
    [
        (outputs.ACCOUNT_BASE, outputs.ACCOUNT_ROLES, "owner_party_id", "account"),
        (outputs.DEVICE_BASE, outputs.DEVICE_ROLES, "primary_party_id", "device"),
    ],
)
def test_a_risky_owner_passes_the_risk_on(base: Output, roles: Output, owner: str, entity: str) -> None:
    promotion = document().account_promotion if entity == "account" else document().device_promotion
    rows = entity_world().rows(base).join(entity_world().rows(roles), on=base.keys[0])
    rows = rows.join(parties().select("party_id", "fraud_role_party", owner_tier="risk_tier"), left_on=owner, right_on="party_id")
    assert (rows["risk_tier"] == rows["owner_tier"]).all()
    clean = roles.columns[1].words[0]
    for (tier,), group in rows.filter(RISKY).group_by("risk_tier"):
        # those that are not promoted have the small chances of others
        found = mean(group[f"fraud_role_{entity}"] != clean)
        assert found >= promotion[str(tier)] - 5 * np.sqrt(0.25 / len(group))
        assert found <= promotion[str(tier)] + 5 * np.sqrt(0.25 / len(group)) + 0.05
    assert mean(rows.filter(~RISKY)[f"fraud_role_{entity}"] != clean) < 0.02


def test_mules_have_mule_accounts() -> None:
    rows = entity_world().rows(outputs.ACCOUNT_BASE).join(entity_world().rows(outputs.ACCOUNT_ROLES), on="account_id")
    rows = rows.join(parties().select("party_id", "fraud_role_party"), left_on="owner_party_id", right_on="party_id")
    shares = dict(rows.group_by("fraud_role_party").agg((pl.col("fraud_role_account") == "MULE_ACCOUNT").mean()).iter_rows())
    assert shares["MULE"] > 0.35
    assert shares["CLEAN"] < 0.005


def test_addresses_have_the_chances_of_their_type() -> None:
    rows = entity_world().rows(outputs.IP_BASE).join(entity_world().rows(outputs.IP_ROLES), on="ip_id")
    for (kind,), group in rows.group_by("ip_type"):
        for role, chance in document().address.roles[str(kind)].items():
            near(mean(group["fraud_role_ip"] == role), chance, len(group))


def test_a_merchants_score_says_class_size_and_outlets_abroad() -> None:
    law = document().merchant
    rows = pl.DataFrame({"mcc_class": ["TRAVEL", "GENERAL_RETAIL", "TRAVEL"], "outlets": [6, 4096, 100_000], "abroad": [3, 0, 0]})
    size, wide = law.weights["log_size"], law.weights["cross_border"]
    rest = law.base - sum(law.weights[name] * law.references[name] for name in law.weights)
    assert merchant_scores(rows, law).tolist() == pytest.approx(
        [
            # log2 is straight between 4 and 8
            rest + law.weights["mcc_class"] * 0.50 + size * 2.5 / 12 + wide * 0.5,
            rest + law.weights["mcc_class"] * 0.15 + size,
            rest + law.weights["mcc_class"] * 0.50 + size,
        ]
    )


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.integers(0, 4), st.integers(0, 3))
def test_the_riskiest_normal_merchants_take_the_roles_that_are_missing(roles: list[int], collusive: int, risky: int) -> None:
    scores = np.array([(7 * at) % 11 for at in range(len(roles))], np.float64)
    least = {"COLLUSIVE": collusive, "HIGH_RISK_MCC": risky}
    found = with_least(np.array(roles, np.uint8), scores, least).tolist()
    taken = [at for at, (before, after) in enumerate(zip(roles, found, strict=True)) if before != after]
    assert all(roles[at] == 0 for at in taken)
    left = [at for at, after in enumerate(found) if after == 0]
    assert not left or not taken or min(scores[at] for at in taken) >= max(scores[at] for at in left)
    for name, count in least.items():
        code = MERCHANT_ROLES.index(name)
        assert not left or found.count(code) >= min(count, len(roles))
        assert found.count(code) == roles.count(code) or found.count(code) <= count


def test_every_world_has_collusive_merchants() -> None:
    found = entity_world().rows(outputs.MERCHANT_ROLES)
    counts = dict(found["fraud_role_merchant"].value_counts().iter_rows())
    assert counts["COLLUSIVE"] >= document().merchant.least["COLLUSIVE"]
    assert len(found) == 60
