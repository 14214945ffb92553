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
#: further columns with entities of a kind
_FURTHER = {"ACCOUNT": ("counterparty_account_id",)}
_KIND = pl.Enum(ENTITY_KINDS)


def targets(plan: pl.DataFrame) -> pl.DataFrame:
    """The entities of each campaign, once each, in order. One campaign after the other: a plan of all is large."""
    columns = {kind: (_COLUMN[kind], *_FURTHER.get(kind, ())) for kind in ENTITY_KINDS}
    empty = plan.head(0).select("campaign_id", pl.lit("PARTY", _KIND).alias("entity_kind"), _id("party_id", "entity_id"))
    found = [empty]
    for name in plan["campaign_id"].unique().sort():
        of_campaign = plan.filter(pl.col("campaign_id") == name)
        for kind, names in columns.items():
            ids = pl.concat([of_campaign.select(_id(column, "entity_id")).to_series() for column in names]).drop_nulls().unique().sort()
            found.append(ids.to_frame().select(pl.lit(name).alias("campaign_id"), pl.lit(kind, _KIND).alias("entity_kind"), "entity_id"))
    return pl.concat(found)


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
