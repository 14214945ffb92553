"""S5: roles of addresses and of merchants, which nobody owns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from assay.codecs.kernel import frozen
from assay.engine.entities import guards
from assay.engine.entities import vocabulary as words
from assay.engine.entities.frames import Codes, Floats, Ints, chances, codes
from assay.engine.entities.outputs import IP_BASE, IP_ROLES, MERCHANT_ROLES
from assay.engine.entities.role_document import MerchantScore, Roles
from assay.engine.entities.roles_kernel import draw_scored_roles
from assay.engine.output import worded
from assay.engine.quantiles import normal
from assay.engine.segment import Scene, State

_NORMAL, _MSB = 0, words.MERCHANT_ROLES.index("MSB")
_MONEY_SERVICES = "MONEY_SERVICES"


def make_address_roles(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """Roles of all addresses, by their type."""
    law = scene.parameters.of(Roles).address
    guards.taxonomy({name for row in law.roles.values() for name in row}, words.ADDRESS_ROLES, IP_ROLES.output_id)
    addresses = scene.table(IP_BASE.output_id, 0, ["ip_id", "ip_type"])
    kinds = frozen(codes(addresses, "ip_type"), np.int64)
    scores = np.array([law.scores[name] for name in words.ADDRESS_TYPES])[kinds]
    ends = chances((law.roles[name] for name in words.ADDRESS_TYPES), words.ADDRESS_ROLES)
    _, roles, tiers = _drawn(scene, "address", scores, law.spread, kinds, ends, len(words.ADDRESS_ROLES))
    made = addresses.select("ip_id").with_columns(
        worded(roles, words.ADDRESS_ROLES).alias("fraud_role_ip"), worded(tiers, words.TIERS).alias("risk_tier")
    )
    return {IP_ROLES.output_id: made}


def make_merchant_roles(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """Roles of all merchants, in the order of the catalogue, by class, size and outlets abroad."""
    law = scene.parameters.of(Roles).merchant
    guards.taxonomy({*law.least, *(name for row in law.roles.values() for name in row)}, words.MERCHANT_ROLES, MERCHANT_ROLES.output_id)
    outlets = scene.table("outlet_catalogue", None, ["merchant_id", "mcc_class", "home_country_iso", "country_iso"])
    merchants = outlets.with_columns(pl.col("mcc_class", "home_country_iso", "country_iso").cast(pl.String))
    merchants = merchants.group_by("merchant_id", maintain_order=True).agg(
        pl.col("mcc_class").first(), pl.len().alias("outlets"), (pl.col("country_iso") != pl.col("home_country_iso")).sum().alias("abroad")
    )
    kinds = np.full(len(merchants), -1, np.int64)
    ends = chances((law.roles[tier] for tier in words.TIERS), words.MERCHANT_ROLES)
    scores, roles, tiers = _drawn(scene, "merchant", merchant_scores(merchants, law), law.spread, kinds, ends, len(words.MERCHANT_ROLES))
    services = (merchants["mcc_class"] == _MONEY_SERVICES).to_numpy()
    wanted, seen = _drawn(scene, "services", np.zeros(len(merchants)), 0.0, kinds, _msb_ends(law), 2)[1], roles == _NORMAL
    roles = with_least(np.where(services & seen & (wanted > 0), _MSB, roles).astype(np.uint8), scores, law.least)
    made = merchants.select("merchant_id").with_columns(
        worded(roles, words.MERCHANT_ROLES).alias("fraud_role_merchant"), worded(tiers, words.TIERS).alias("risk_tier")
    )
    return {MERCHANT_ROLES.output_id: made}


def merchant_scores(merchants: pl.DataFrame, law: MerchantScore) -> Floats:
    """Scores without their spread. log2 of the outlets is exact at powers of two and straight in between."""
    risk = merchants["mcc_class"].replace_strict(law.mcc_classes, return_dtype=pl.Float64).to_numpy()
    outlets = merchants["outlets"].to_numpy().astype(np.float64)
    mantissa, exponent = np.frexp(outlets)
    size = np.minimum((exponent - 2 + 2 * mantissa) / 12, 1.0)
    features = {"mcc_class": risk, "cross_border": merchants["abroad"].to_numpy() / outlets, "log_size": size}
    scores = np.full(len(merchants), law.base)
    for name in ("mcc_class", "cross_border", "log_size"):
        scores = scores + law.weights[name] * (features[name] - law.references[name])
    return scores


def with_least(roles: Codes, scores: Floats, least: Mapping[str, int]) -> Codes:
    """The roles, where each of `least` is taken by at least so many: the riskiest normal merchants take what is missing."""
    found = roles.copy()
    for code, name in enumerate(words.MERCHANT_ROLES):
        missing = least.get(name, 0) - int((found == code).sum())
        order = np.lexsort((np.arange(len(found)), -scores, found != _NORMAL))
        clean = int((found == _NORMAL).sum())
        found[order[: max(min(missing, clean), 0)]] = code
    return found


def _msb_ends(law: MerchantScore) -> Floats:
    return frozen(np.array([value for _ in words.TIERS for value in (1.0 - law.msb_share, 1.0)]), np.float64)


def _drawn(scene: Scene, stream: str, scores: Floats, spread: float, kinds: Ints, ends: Floats, count: int) -> tuple[Floats, Codes, Codes]:
    document, rows = scene.parameters.of(Roles), len(scores)
    tiers = frozen(np.array([document.tiers[tier] for tier in words.TIERS[:-1]]), np.float64)
    found = np.empty(rows), np.empty(rows, np.uint8), np.empty(rows, np.uint8)
    draw_scored_roles(
        *(scene.key(stream), frozen(scores, np.float64), spread, normal(), tiers, frozen(kinds, np.int64), ends, count, *found),
    )
    return found


S5_IPS = State("S5_ips", (IP_BASE.output_id,), (IP_ROLES,), make_address_roles)
S5_MERCHANTS = State("S5_merchants", ("outlet_catalogue",), (MERCHANT_ROLES,), make_merchant_roles)
