"""How many parties of each type live in each country."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

import polars as pl

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.engine.entities.documents import CountryWeight, Parties
from assay.engine.entities.vocabulary import PARTY_TYPES
from assay.engine.scenario import Scale

_DIGITS = 30
_MILLION = 1_000_000


def country_facts(outlets: pl.DataFrame, profile: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """Country with an outlet → (outlets, expected arrivals per week), in ASCII order. Volumes are summed as integers, so in any order."""
    volume = profile.with_columns((pl.col("weekly_volume") * 1000).round().cast(pl.Int64))
    arrivals = dict(volume.group_by("country_iso").agg(pl.col("weekly_volume").sum() // 1000).iter_rows())
    counted = outlets.group_by("country_iso").len().rows()
    return {str(country): (int(count), int(arrivals.get(country, 0))) for country, count in sorted(counted)}


def shares_of(facts: Mapping[str, tuple[int, int]], law: CountryWeight) -> list[Decimal]:
    """Shares of the countries: (outlets + offset)^exponent · (arrivals + offset)^exponent over their sum, none above the largest share."""
    with localcontext() as context:
        context.prec = _DIGITS
        weights = [
            (
                Decimal(outlets + law.outlet_offset).ln() * Decimal(law.outlet_exponent)
                + Decimal(arrivals + law.arrival_offset).ln() * Decimal(law.arrival_exponent)
            ).exp()
            for outlets, arrivals in facts.values()
        ]
        shares = [weight / sum(weights) for weight in weights]
        most = Decimal(law.max_share)
        if len(shares) > 1 and max(shares) > most:
            first = shares.index(max(shares))
            rest = (1 - most) / (1 - shares[first])
            shares = [most if at == first else share * rest for at, share in enumerate(shares)]
    return shares


def apportioned(shares: Sequence[Decimal], total: int) -> list[int]:
    """Whole numbers of the sum `total` by the largest remainder; among equal ones the first counts."""
    exact = [share * total for share in shares]
    found = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda at: (found[at] - exact[at], at))
    for at in by_remainder[: total - sum(found)]:
        found[at] += 1
    return found


def parties_by_country(facts: Mapping[str, tuple[int, int]], document: Parties, scale: Scale) -> list[int]:
    """Parties of each country. Raises Stop(ENGINE_PARAMETERS_INVALID): there are fewer parties than countries."""
    least = max(1, scale.parties * document.least_per_million // _MILLION)
    spare = scale.parties - least * len(facts)
    if not facts or spare < 0:
        what = f"{scale.parties:,} parties are too few for {len(facts)} countries with outlets"
        remedy = f"At least {least * len(facts):,} are needed."
        raise Stop(Reason.ENGINE_PARAMETERS_INVALID, what, where="scale.parties", remedy=remedy)
    with localcontext() as context:
        context.prec = _DIGITS
        return [least + more for more in apportioned(shares_of(facts, document.country_weight), spare)]


def by_type(countries: Sequence[int], types: Mapping[Any, str]) -> list[list[int]]:
    """Parties of each country by type. Rounding errors do not add up: running sums over countries are rounded, not the counts."""
    given, before = [], [0, 0]
    reached = 0
    for parties in countries:
        reached += parties
        sums = [int(Decimal(types[name]) * reached + Decimal("0.5")) for name in PARTY_TYPES[1:]]
        business, other = (now - last for now, last in zip(sums, before, strict=True))
        before = sums
        business = min(business, parties)
        other = min(other, parties - business)
        given.append([parties - business - other, business, other])
    return given
