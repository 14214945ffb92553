"""What campaigns touch: their targets, and the edges of their truth graphs."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from assay.engine.behaviour.campaign_layout import Campaign
from assay.engine.behaviour.outputs import ENTITY_KINDS

_COLUMN = {
    "PARTY": "party_id",
    "ACCOUNT": "account_id",
    "INSTRUMENT": "instrument_id",
    "DEVICE": "device_id",
    "IP": "ip_id",
    "MERCHANT": "merchant_id",
}
_KIND = pl.Enum(ENTITY_KINDS)


def targets(plan: pl.DataFrame) -> pl.DataFrame:
    """The entities of each campaign, once each, in order."""
    columns = [*_COLUMN.items(), ("ACCOUNT", "counterparty_account_id")]
    found = [plan.select("campaign_id", pl.lit(kind, _KIND).alias("entity_kind"), _id(name, "entity_id")) for kind, name in columns]
    return pl.concat(found).drop_nulls().unique().sort("campaign_id", "entity_kind", "entity_id")


def graph(plan: pl.DataFrame, campaigns: Sequence[Campaign]) -> pl.DataFrame:
    """One edge for each flow, between the entities that its template names. `number`: of the flow's campaign."""
    edges = []
    for kinds in sorted({campaign.law.edge for campaign in campaigns}):
        numbers = [number for number, campaign in enumerate(campaigns) if campaign.law.edge == kinds]
        to = "counterparty_account_id" if kinds == ("ACCOUNT", "ACCOUNT") else _COLUMN[kinds[1]]
        edges.append(
            plan.filter(pl.col("number").is_in(numbers)).select(
                "campaign_id",
                pl.lit(kinds[0], _KIND).alias("from_kind"),
                _id(_COLUMN[kinds[0]], "from_id"),
                pl.lit(kinds[1], _KIND).alias("to_kind"),
                _id(to, "to_id"),
                "flow_id",
                "role",
            )
        )
    empty = plan.head(0).select(
        "campaign_id",
        pl.lit("PARTY", _KIND).alias("from_kind"),
        _id("party_id", "from_id"),
        pl.lit("PARTY", _KIND).alias("to_kind"),
        _id("party_id", "to_id"),
        "flow_id",
        "role",
    )
    return pl.concat([empty, *edges])


def _id(column: str, name: str) -> pl.Expr:
    return pl.col(column).cast(pl.UInt64).alias(name)
