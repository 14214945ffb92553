"""What each rule of a policy is worth: how often it is right, what it stopped, and what would have passed without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from assay.app.report.money import Money
from assay.app.report.share import Share, share
from assay.contracts.outcomes import POSTURE_CLAMPED, POSTURE_MISSING, Outcome

#: rules of most alerts of which it is told how often two fired together
PAIRS_OF = 8
_POSTURE = (POSTURE_MISSING, POSTURE_CLAMPED)


@dataclass(frozen=True)
class RuleMoney:
    """In one currency, in minor units: fraud in the rule's alerts, the part that would have been allowed without it, and good payments."""

    currency: str
    exponent: int | None
    stopped_minor: int
    only_by_it_minor: int
    good_minor: int


@dataclass(frozen=True)
class RuleRow:
    """One rule, or one reason that a posture gave (`points` is None).

    `fired` counts decisions, `alerts` those of them that were not allowed: `alone` where no other rule fired, `needed` where the
    payment would have been allowed without this rule's points. The figures of fraud are of alerts, and None without labels.
    """

    code: str
    points: int | None
    fired: int
    alerts: int
    alone: int
    needed: int
    frauds: int | None
    frauds_needed: int | None
    precision: Share | None
    money: tuple[RuleMoney, ...]


@dataclass(frozen=True)
class Pair:
    """Alerts in which two rules fired together."""

    first: str
    second: str
    alerts: int


def rules_of(
    frame: pl.DataFrame, policy: Mapping[str, Any], money: Sequence[Money], *, known: bool
) -> tuple[tuple[RuleRow, ...], tuple[Pair, ...]]:
    """Rules by what they are worth: fraud in the first currency that only they stopped, then all that they stopped, then by frauds
    and alerts. With them, how often two of the most frequent ones fired together."""
    points = {rule["code"]: int(rule["points"]) for rule in policy.get("rules", ())}
    flat = _flat(frame, points, min(policy.get("thresholds", {}).values(), default=None))
    sums = _sums(flat, known=known)
    rows = [_row(found, points, sums, money, known=known) for found in _counts(flat)]
    first = money[0].currency if money else ""
    rows.sort(key=lambda row: (*_worth(row, first), row.code))
    frequent = [row.code for row in sorted(rows, key=lambda row: (-row.alerts, row.code)) if row.alerts][:PAIRS_OF]
    return tuple(rows), _pairs(frame, frequent)


def _flat(frame: pl.DataFrame, points: Mapping[str, int], lowest: int | None) -> pl.DataFrame:
    """A row per decision and reason: alert, alone, needed, fraud, amount_minor, currency."""
    rules = pl.col("reasons").list.set_difference(list(_POSTURE)).list.len()
    posture = rules != pl.col("reasons").list.len()
    flat = (
        frame.select(
            "reasons", "fraud", "amount_minor", "currency", "score", rules.alias("rules"), posture.alias("posture"),
            alert=pl.col("outcome") != Outcome.ALLOW,
        )
        .explode("reasons")
        .drop_nulls("reasons")
    )  # fmt: skip
    own = pl.col("reasons").replace_strict(points, default=None, return_dtype=pl.Int64)
    without = pl.col("score") - own < lowest if lowest is not None else pl.lit(value=False)
    return flat.with_columns(
        alone=pl.col("alert") & (pl.col("rules") == 1) & ~pl.col("reasons").is_in(_POSTURE),
        needed=(pl.col("alert") & ~pl.col("posture") & without).fill_null(value=False),
    )


def _counts(flat: pl.DataFrame) -> list[dict[str, Any]]:
    alert, fraud = pl.col("alert"), pl.col("fraud")
    return list(
        flat.group_by("reasons")
        .agg(
            fired=pl.len(),
            alerts=alert.sum(),
            alone=pl.col("alone").sum(),
            needed=pl.col("needed").sum(),
            frauds=(alert & fraud).sum(),
            frauds_needed=(pl.col("needed") & fraud).sum(),
        )
        .iter_rows(named=True)
    )


def _sums(flat: pl.DataFrame, *, known: bool) -> dict[tuple[str, str], tuple[int, int, int]]:
    """(rule, currency) → fraud stopped, fraud that only it stopped, good payments, in minor units."""
    if not known:
        return {}
    amount, fraud = pl.col("amount_minor"), pl.col("fraud")
    sums = (
        flat.filter("alert")
        .drop_nulls(["amount_minor", "currency"])
        .group_by("reasons", "currency")
        .agg(
            amount.filter(fraud).sum(),
            amount.filter(fraud & pl.col("needed")).sum().alias("only"),
            amount.filter(~fraud).sum().alias("good"),
        )
    )
    return {(row[0], row[1]): row[2:] for row in sums.iter_rows()}


def _row(
    found: Mapping[str, Any],
    points: Mapping[str, int],
    sums: Mapping[tuple[str, str], tuple[int, int, int]],
    money: Sequence[Money],
    *,
    known: bool,
) -> RuleRow:
    code, alerts, frauds = str(found["reasons"]), int(found["alerts"]), int(found["frauds"])
    return RuleRow(
        code,
        points.get(code),
        int(found["fired"]),
        alerts,
        int(found["alone"]),
        int(found["needed"]),
        frauds if known else None,
        int(found["frauds_needed"]) if known else None,
        share(frauds, alerts) if known else None,
        tuple(RuleMoney(one.currency, one.exponent, *sums[code, one.currency]) for one in money if (code, one.currency) in sums),
    )


def _worth(row: RuleRow, currency: str) -> tuple[int, int, int, int]:
    """Ascending, the most valuable rule first."""
    mine = next((one for one in row.money if one.currency == currency), None)
    only, stopped = (mine.only_by_it_minor, mine.stopped_minor) if mine else (0, 0)
    return -only, -stopped, -(row.frauds or 0), -row.alerts


def _pairs(frame: pl.DataFrame, codes: Sequence[str]) -> tuple[Pair, ...]:
    alerts = frame.filter(pl.col("outcome") != Outcome.ALLOW)
    fired = alerts.select(pl.col("reasons").list.contains(code).alias(str(at)) for at, code in enumerate(codes))
    places = [(first, second) for first in range(len(codes)) for second in range(first + 1, len(codes))]
    if not places:
        return ()
    both = fired.select((pl.col(str(first)) & pl.col(str(second))).sum().alias(f"{first}-{second}") for first, second in places).row(0)
    found = [Pair(codes[first], codes[second], int(count)) for (first, second), count in zip(places, both, strict=True) if count]
    return tuple(sorted(found, key=lambda pair: (-pair.alerts, pair.first, pair.second)))
