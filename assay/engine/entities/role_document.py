"""The parameter document of roles; `roles.yaml` says units and sources. Its words are held against the taxonomy by a guard."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from assay.engine.entities.documents import Corridor, Count, PartyType, Weights, complete
from assay.engine.entities.vocabulary import ADDRESS_TYPES, TIERS
from assay.engine.laws import Block, Share, Weight
from assay.engine.parameters import Document

Chances = dict[str, Share]
ByTier = dict[str, Chances]


class PartyScore(Block):
    """Base, weights and references of features, spreads; `district_size`: parties that share a part of the score."""

    base: float
    weights: dict[str, float]
    references: dict[str, float]
    own_spread: Weight
    district_spread: Weight
    district_size: Count


class AddressScore(Block):
    """Score and chances by address type."""

    scores: dict[str, float]
    spread: Weight
    roles: dict[str, Chances]


class MerchantScore(Block):
    """Base, weights and references of features, a spread; `least`: fewest merchants of a role."""

    base: float
    weights: dict[str, float]
    references: dict[str, float]
    spread: Weight
    mcc_classes: dict[str, float]
    roles: ByTier
    msb_share: Share
    least: dict[str, Count]


class Roles(Document):
    """S5."""

    document = "roles"
    tiers: dict[str, float]
    party: PartyScore
    party_roles: dict[PartyType, ByTier]
    account_promotion: dict[str, Share]
    promoted_accounts: dict[str, Weights]
    account_roles: ByTier
    device_promotion: dict[str, Share]
    promoted_devices: dict[str, Weights]
    device_roles: ByTier
    shared_device_roles: ByTier
    address: AddressScore
    merchant: MerchantScore
    corridors: dict[str, Corridor]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        complete(self.tiers, TIERS[:-1])
        tables = (*self.party_roles.values(), self.account_roles, self.device_roles, self.shared_device_roles, self.merchant.roles)
        for given in (*tables, self.account_promotion, self.device_promotion):
            complete(given, TIERS)
        complete(self.address.scores, ADDRESS_TYPES)
        complete(self.address.roles, ADDRESS_TYPES)
        if [self.tiers[tier] for tier in TIERS[:-1]] != sorted(self.tiers.values()):
            raise ValueError("scores of tiers ascend")
        if any(sum(chances.values()) > 1 for table in (*tables, self.address.roles) for chances in table.values()):
            raise ValueError("chances of a row sum to more than 1")
        return self
