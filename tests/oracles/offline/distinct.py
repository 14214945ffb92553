"""Distinct members of a window: a member is present from a payment until its latest bucket leaves."""

from __future__ import annotations

import polars as pl

from assay.tables.feature_document import Feature
from oracles.offline.steps import Steps


def distinct_after(steps: Steps, feature: Feature) -> pl.Series:
    """Distinct members in the window of each row, the row's own payment counted."""
    pairs = _presence(steps, feature)
    until = pl.min_horizontal("leaves", pl.col("following").fill_null(pl.col("leaves")))
    rising = pairs.select("key", value=pl.lit(1, pl.Int64), at_row="row")
    falling = pairs.select("key", value=pl.lit(1, pl.Int64), at_row=pl.max_horizontal(until, "row"))
    return steps.running(rising, falling)


def distinct_own(steps: Steps, feature: Feature) -> pl.Series:
    """What the row's own payment adds to that: 1 where its member was absent before it and present after it."""
    pairs = _presence(steps, feature)
    after = pl.col("leaves") > pl.col("row")
    before = (pl.col("leaves").shift(1).over("key", "member") > pl.col("row")).fill_null(value=False)
    own = pairs.select("row", own=after.cast(pl.Int64) - before.cast(pl.Int64))
    rows = steps.rows.select("row").join(own, on="row", how="left", maintain_order="left")
    return rows["own"].fill_null(0)


def _presence(steps: Steps, feature: Feature) -> pl.DataFrame:
    """Payments that name a member: row, the row at which the member's latest bucket leaves, the pair's following payment."""
    pairs = steps.rows.select("key", "row", "bucket", member=f"entity.{feature.of}").filter(pl.col("member").is_not_null())
    latest = pairs.with_columns(latest=pl.col("bucket").cum_max().over("key", "member"))
    leaves = steps.reaching(latest["key"], latest["latest"] + feature.window_buckets)
    return latest.with_columns(leaves=leaves, following=pl.col("row").shift(-1).over("key", "member"))
