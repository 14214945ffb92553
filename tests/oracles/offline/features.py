"""Offline features: the values of a whole lane at once in polars, from the feature document alone.

No code of the online fold is used, and the method is another one. Per key let cm_i be the running maximum of the bucket
over its payments in processing order. A payment j is in the window of payment i exactly when
cm_i - delay - length < bucket_j <= cm_i - delay. As cm only grows, j enters at the first payment i >= j with
cm_i >= bucket_j + delay and leaves at the first with cm_i >= bucket_j + delay + length. So each payment is one +v and one
-v on its key's rows, and a window is their running sum: int64, or Int128 for squares. A fraud label is +1 and -1 in the
same way, not before its own place in processing order. An id that is met again after it was forgotten counts as another key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from assay.contracts.limits import AMOUNT_MINOR_END
from assay.tables.feature_document import Feature, FeatureDocument, parse_document
from oracles.offline.distinct import distinct_after, distinct_own
from oracles.offline.steps import Steps, first_reaching

PAYMENT: Final = 4
CONTEXT: Final = 3
LABEL: Final = 2
_DAY, _HOUR = 86_400_000_000, 3_600_000_000


def offline_features(document: Mapping[str, Any], lane: pl.DataFrame) -> pl.DataFrame:
    """Feature values of every row of a lane, one column per feature, in processing order.

    `lane` has kind, event_id, ts_us, amount_minor, subject_event_id, label (1 for fraud) and `entity.<name>` for every
    entity. Rows that are not payments, repeat an id, or have an amount out of range hold zeros.
    """
    parsed = parse_document(document)
    rows = lane.with_row_index("at").with_columns(pl.col("at").cast(pl.Int64))
    rows = rows.filter(pl.struct("kind", "event_id").is_first_distinct())
    paid = (pl.col("kind") == PAYMENT) & pl.col("amount_minor").is_between(0, AMOUNT_MINOR_END - 1)
    payments = _lives(parsed, rows.filter(paid | (pl.col("kind") == CONTEXT))).filter(pl.col("kind") == PAYMENT)
    frauds = _frauds(rows, payments)
    values = payments.select("at", *(_row_value(f) for f in parsed.features if not f.entity))
    for entity in parsed.entities:
        features = [f for f in parsed.features if f.entity == entity]
        if features:
            values = values.join(_of_entity(entity, features, payments, frauds), on="at", how="left", maintain_order="left")
    return _all_rows(parsed, lane.height, values)


def _lives(document: FeatureDocument, facts: pl.DataFrame) -> pl.DataFrame:
    """Ids with the number of times they had been forgotten: one that was idle for too long when it is met is another id."""
    facts = facts.with_columns(clock=pl.col("ts_us").cum_max())
    idle = pl.col("clock") - pl.col("clock").shift(1) > document.idle_us
    names = [f"entity.{entity}" for entity in document.entities]
    return facts.with_columns(
        pl.concat_str(pl.col(name), idle.fill_null(value=False).cum_sum().over(name), separator="\0").alias(name) for name in names
    )


def _frauds(rows: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """The first fraud label of each payment that was folded before it: `at` of the label, `paid_at` of the payment."""
    labels = rows.filter((pl.col("kind") == LABEL) & (pl.col("label") == 1)).select("at", event_id="subject_event_id")
    spoken = labels.join(payments.select("event_id", paid_at="at"), on="event_id", how="inner")
    spoken = spoken.filter(pl.col("paid_at") < pl.col("at")).sort("at")
    return spoken.unique("paid_at", keep="first", maintain_order=True).select("at", "paid_at")


def _of_entity(entity: str, features: list[Feature], payments: pl.DataFrame, frauds: pl.DataFrame) -> pl.DataFrame:
    """`at` and one column per feature, for payments that name the entity; sorted by key, then processing order."""
    name = f"entity.{entity}"
    keyed = payments.filter(pl.col(name).is_not_null()).with_columns(key=pl.col(name).rank("dense").cast(pl.Int64))
    keyed = keyed.sort("key", "at").with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    columns = [_since_last(keyed, f) if f.op == "since_last" else _windowed(keyed, frauds, f) for f in features]
    return pl.DataFrame([keyed["at"], *columns])


def _since_last(keyed: pl.DataFrame, feature: Feature) -> pl.Series:
    before = pl.col("ts_us").cum_max().shift(1).over("key")
    elapsed = (pl.col("ts_us") - before).clip(lower_bound=0) // feature.unit_us
    return keyed.select(elapsed.fill_null(-1).alias(feature.name)).to_series()


def _windowed(keyed: pl.DataFrame, frauds: pl.DataFrame, feature: Feature) -> pl.Series:
    steps = Steps.of(keyed, feature)
    if feature.op == "distinct":
        values = distinct_after(steps, feature) - (0 if feature.include_current else distinct_own(steps, feature))
        return values.alias(feature.name)
    count = _total(steps, pl.lit(1, pl.Int64), feature)
    if feature.op == "count":
        return count.alias(feature.name)
    if feature.op in {"fraud_count", "fraud_rate"}:
        held = _fraud_total(steps, frauds)
        return (held if feature.op == "fraud_count" else _ratio(held, count)).alias(feature.name)
    total = _total(steps, pl.col("amount_minor"), feature)
    if feature.op == "sum":
        return total.alias(feature.name)
    return (_ratio(total, count) if feature.op == "mean" else _zscore(steps, feature, total, count)).alias(feature.name)


def _total(steps: Steps, value: pl.Expr, feature: Feature) -> pl.Series:
    """Sum of a value over the window of each row; without the row's own payment unless `include_current`."""
    rows = steps.rows.select("key", "row", value=value)
    after = steps.running(rows.select("key", "value", at_row=steps.enters), rows.select("key", "value", at_row=steps.leaves))
    own = pl.select(pl.when(steps.holds_itself).then(rows["value"]).otherwise(0)).to_series()
    return after if feature.include_current else after - own


def _fraud_total(steps: Steps, frauds: pl.DataFrame) -> pl.Series:
    """Fraud labels in the window: a label's payment enters and leaves as ever, but not before the label itself came."""
    spoken = steps.rows.select("key", "bucket", paid_at="at").join(frauds, on="paid_at", how="inner").sort("key", "at")
    if spoken.is_empty():
        return pl.repeat(0, steps.rows.height, dtype=pl.Int64, eager=True)
    came = first_reaching(steps.rows["key"], steps.rows["at"], spoken["key"], spoken["at"])
    enters = steps.reaching(spoken["key"], spoken["bucket"] + steps.delay)
    leaves = steps.reaching(spoken["key"], spoken["bucket"] + steps.delay + steps.length)
    one = spoken.select("key", value=pl.lit(1, pl.Int64))
    later = pl.DataFrame({"came": came, "enters": enters, "leaves": leaves}).select(
        enters=pl.max_horizontal("came", "enters"), leaves=pl.max_horizontal("came", "leaves")
    )
    return steps.running(one.with_columns(at_row=later["enters"]), one.with_columns(at_row=later["leaves"]))


def _ratio(part: pl.Series, count: pl.Series) -> pl.Series:
    rate = part.cast(pl.Float64) / count.cast(pl.Float64)
    return pl.select(pl.when(count > 0).then(rate).otherwise(0.0)).to_series()


def _zscore(steps: Steps, feature: Feature, total: pl.Series, count: pl.Series) -> pl.Series:
    amount, n, s = (pl.col(name).cast(pl.Int128) for name in ("amount_minor", "count", "total"))
    moments = pl.DataFrame([steps.rows["amount_minor"], count.alias("count"), total.alias("total")])
    squares = _total(steps, amount * amount, feature)
    spread = moments.select(n * squares - s * s).to_series()
    score = moments.select((n * amount - s).cast(pl.Float64)).to_series() / spread.cast(pl.Float64).sqrt()
    return pl.select(pl.when(spread != 0).then(score).otherwise(0.0)).to_series()


def _row_value(feature: Feature) -> pl.Expr:
    if feature.op == "amount":
        value = pl.col("amount_minor")
    elif feature.op == "night":
        value = (pl.col("ts_us") % _DAY // _HOUR <= feature.to_hour).cast(pl.Int64)
    else:
        weekday = pl.col("ts_us").cast(pl.Datetime("us")).dt.weekday()
        value = (weekday >= 6).cast(pl.Int64)
    return value.alias(feature.name)


def _all_rows(document: FeatureDocument, height: int, values: pl.DataFrame) -> pl.DataFrame:
    """Values put to their rows: a payment without the entity reads 0, or -1 for time since last; other rows read 0."""
    absent = [pl.col(f.name).fill_null(-1) for f in document.features if f.op == "since_last"]
    rows = pl.DataFrame({"at": pl.int_range(height, dtype=pl.Int64, eager=True)})
    placed = rows.join(values.with_columns(absent), on="at", how="left", maintain_order="left").fill_null(0)
    return placed.select(f.name for f in document.features)
