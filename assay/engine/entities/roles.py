"""S5: risky parties, and what of theirs is risky too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.codecs.kernel import frozen
from assay.engine.entities import guards
from assay.engine.entities import vocabulary as words
from assay.engine.entities.documents import Parties
from assay.engine.entities.frames import Codes, Floats, Ints, chances, choices, codes, numbers
from assay.engine.entities.outputs import (
    ACCOUNT_BASE,
    ACCOUNT_ROLES,
    DEVICE_BASE,
    DEVICE_LINKS,
    DEVICE_ROLES,
    IP_LINKS,
    PARTY_BASE,
    PARTY_ROLES,
)
from assay.engine.entities.role_document import ByTier, Chances, Roles
from assay.engine.entities.roles_kernel import draw_held_roles, draw_party_roles
from assay.engine.output import worded
from assay.engine.parameters import Parameters
from assay.engine.quantiles import normal
from assay.engine.scenario import parties_of, party_parts
from assay.engine.segment import Scene, State

_FEATURES = ("anonymizer", "shared_device", "credit", "devices")


@dataclass(frozen=True)
class Held:
    """Chances of accounts or of devices: promotion by tier, promoted roles by owner's role, the others' roles by variant and tier."""

    promotion: Floats
    promoted: Floats
    ends: Floats
    roles: tuple[str, ...]


@dataclass(frozen=True)
class RoleLaws:
    """Tables of S5 for parties, accounts and devices."""

    by_segment: Floats
    weights: Floats
    references: Floats
    spreads: Floats
    tiers: Floats
    party_ends: Floats
    accounts: Held
    devices: Held


def role_laws(parameters: Parameters) -> RoleLaws:
    """Tables of the document. Raises Stop(ENGINE_GUARD_TRIPPED) for a role outside of the taxonomy."""
    document, profiles = parameters.of(Roles), parameters.of(Parties).profiles
    party = document.party
    said = [name for name in party.weights if name in words.FEATURES]
    by_segment = [
        party.base + sum(party.weights[name] * (profiles[segment][name] - party.references[name]) for name in said)
        for segment in words.SEGMENTS
    ]
    by_tier = [document.party_roles[kind][tier] for kind in words.PARTY_TYPES for tier in words.TIERS]  # type: ignore[index]
    guards.taxonomy(_named(by_tier), words.PARTY_ROLES, PARTY_ROLES.output_id)
    account_tables, device_tables = (document.account_roles,), (document.device_roles, document.shared_device_roles)
    return RoleLaws(
        _floats(by_segment),
        _floats([party.weights[name] for name in _FEATURES]),
        _floats([party.references[name] for name in _FEATURES]),
        _floats([party.own_spread, party.district_spread]),
        _floats([document.tiers[tier] for tier in words.TIERS[:-1]]),
        chances(by_tier, words.PARTY_ROLES),
        _held(document.account_promotion, document.promoted_accounts, account_tables, words.ACCOUNT_ROLES, ACCOUNT_ROLES.output_id),
        _held(document.device_promotion, document.promoted_devices, device_tables, words.DEVICE_ROLES, DEVICE_ROLES.output_id),
    )


def _held(promotion: Chances, promoted: Mapping[str, Chances], tables: tuple[ByTier, ...], roles: tuple[str, ...], output_id: str) -> Held:
    rows = [table[tier] for table in tables for tier in words.TIERS]
    guards.taxonomy({*_named(rows), *_named(promoted.values())}, roles, output_id)
    guards.taxonomy(promoted, words.PARTY_ROLES, output_id)
    risky = words.PARTY_ROLES[1:]
    by_tier = _floats([promotion[tier] for tier in words.TIERS])
    return Held(by_tier, choices((promoted[role] for role in risky), roles), chances(rows, roles), roles)


def _named(rows: Iterable[Mapping[str, float]]) -> set[str]:
    return {name for row in rows for name in row}


def _floats(values: list[float]) -> Floats:
    return frozen(np.array(values, np.float64), np.float64)


def prepare_roles(scene: Scene) -> RoleLaws:
    """Tables of the laws."""
    return role_laws(scene.parameters)


def make_roles(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """Roles of the parties of a part, of their accounts and of their devices."""
    laws: RoleLaws = scene.prepared
    first, last = parties_of(scene.parameters, part)
    accounts = scene.table(ACCOUNT_BASE.output_id, part, ["account_id", "owner_party_id", "account_type"])
    devices = scene.table(DEVICE_BASE.output_id, part, ["device_id", "primary_party_id"])
    before = int(devices["device_id"][0]) if len(devices) else 1
    links = scene.table(DEVICE_LINKS.output_id, part, ["device_id", "link_role"])
    links = links.filter(pl.col("link_role") == words.DEVICE_LINK_ROLES[words.SHARED_USER])
    shared = frozen(np.bincount(numbers(links, "device_id") - before, minlength=len(devices)) > 0, np.uint8)
    account_owner = numbers(accounts, "owner_party_id") - first - 1
    device_owner = numbers(devices, "primary_party_id") - first - 1
    count = last - first
    credit = np.isin(codes(accounts, "account_type"), [words.ACCOUNT_TYPES.index(name) for name in words.CREDIT_ACCOUNTS])
    features = (
        _counted(_anonymous(scene, part) - first - 1, count),
        _counted(device_owner[shared > 0], count),
        _counted(device_owner, count),
        _counted(account_owner[credit], count),
    )
    roles, tiers = _party_roles(scene, part, features)
    made = pl.DataFrame({"party_id": np.arange(first + 1, last + 1), **_words(roles, tiers, "party", words.PARTY_ROLES)})
    plain = np.zeros(len(accounts), np.uint8)
    return {
        PARTY_ROLES.output_id: made,
        ACCOUNT_ROLES.output_id: _held_roles(scene, "account", accounts["account_id"], account_owner, plain, laws.accounts, (roles, tiers)),
        DEVICE_ROLES.output_id: _held_roles(scene, "device", devices["device_id"], device_owner, shared, laws.devices, (roles, tiers)),
    }


def _anonymous(scene: Scene, part: int) -> Ints:
    """The party of each device that is seen on an anonymizing address, once for a device."""
    links = scene.table(IP_LINKS.output_id, part, ["device_id", "party_id", "link_role"])
    links = links.filter(pl.col("link_role") == words.ADDRESS_LINK_ROLES[words.VPN_PROXY])
    return numbers(links.unique("device_id"), "party_id")


def _counted(owner: Ints, parties: int) -> Ints:
    return frozen(np.bincount(owner, minlength=parties), np.int64)


def _party_roles(scene: Scene, part: int, features: tuple[Ints, Ints, Ints, Ints]) -> tuple[Codes, Codes]:
    laws: RoleLaws = scene.prepared
    first, last = parties_of(scene.parameters, part)
    parties = scene.table(PARTY_BASE.output_id, part, ["party_id", "party_type", "segment_id"])
    guards.party_meta(parties, first, last, PARTY_ROLES.output_id)
    roles, tiers = np.empty(last - first, np.uint8), np.empty(last - first, np.uint8)
    draw_party_roles(
        *((scene.key("party"), scene.key("district")), first, codes(parties, "party_type"), codes(parties, "segment_id"), *features),
        *(laws.by_segment, laws.weights, laws.references, laws.spreads, scene.parameters.of(Roles).party.district_size),
        *(normal(), laws.tiers, laws.party_ends, len(words.PARTY_ROLES), roles, tiers),
    )
    return frozen(roles, np.uint8), frozen(tiers, np.uint8)


def _held_roles(
    scene: Scene, entity: str, ids: pl.Series, owner: Ints, variant: Codes, held: Held, parties: tuple[Codes, Codes]
) -> pl.DataFrame:
    roles, tiers = np.empty(len(ids), np.uint8), np.empty(len(ids), np.uint8)
    before = int(ids[0]) - 1 if len(ids) else 0
    draw_held_roles(
        *(scene.key(entity), before, frozen(owner, np.int64), frozen(variant, np.uint8), *parties),
        *(held.promotion, held.promoted, held.ends, len(held.roles), roles, tiers),
    )
    return pl.DataFrame({f"{entity}_id": ids, **_words(roles, tiers, entity, held.roles)})


def _words(roles: Codes, tiers: Codes, entity: str, vocabulary: tuple[str, ...]) -> dict[str, pl.Series]:
    return {f"fraud_role_{entity}": worded(roles, vocabulary), "risk_tier": worded(tiers, words.TIERS)}


S5 = State(
    "S5",
    (PARTY_BASE.output_id, ACCOUNT_BASE.output_id, DEVICE_BASE.output_id, DEVICE_LINKS.output_id, IP_LINKS.output_id),
    (PARTY_ROLES, ACCOUNT_ROLES, DEVICE_ROLES),
    make_roles,
    party_parts,
    prepare_roles,
)
