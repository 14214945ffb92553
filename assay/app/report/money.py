"""What decisions cost, in each currency by itself, and the payments that cost most.

An amount of one currency is never added to one of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from assay.app.report.payments import ENTITY, entities_of
from assay.contracts.outcomes import OUTCOMES, Outcome

#: currencies of which the costliest payments are listed, those of most payments first, and how many of each
CURRENCIES_SHOWN, CASES_SHOWN = 5, 10


@dataclass(frozen=True)
class OutcomeMoney:
    """Payments of one outcome and their sum in minor units, and the fraud among them; both None without labels."""

    outcome: str
    payments: int
    minor: int
    frauds: int | None
    fraud_minor: int | None


@dataclass(frozen=True)
class Money:
    """One currency. `exponent` is of its minor unit, None for a currency of which it is not known."""

    currency: str
    exponent: int | None
    payments: int
    outcomes: tuple[OutcomeMoney, ...]

    def fraud_minor(self, *outcomes: str) -> int:
        """Fraud that met one of these outcomes."""
        return sum(row.fraud_minor or 0 for row in self.outcomes if row.outcome in outcomes)

    def good_minor(self, *outcomes: str) -> int:
        """What was no fraud and met one of these outcomes."""
        return sum(row.minor - (row.fraud_minor or 0) for row in self.outcomes if row.outcome in outcomes)


@dataclass(frozen=True)
class Case:
    """One payment that was decided wrongly. `kind` is "" where nobody tells it; `segment` is the audit segment that holds its decision,
    "" for none.
    """

    event_id: str
    source_id: str | None
    decision_id: str
    ts_us: int
    outcome: str
    score: int
    reasons: tuple[str, ...]
    amount_minor: int
    entities: Mapping[str, str]
    kind: str = ""
    segment: str = ""


@dataclass(frozen=True)
class Costliest:
    """Of one currency: fraud that was allowed, and good payments that were not, dearest first, as many as are listed; and of how many."""

    currency: str
    exponent: int | None
    misses: tuple[Case, ...]
    missed: int
    alarms: tuple[Case, ...]
    alarmed: int


def money_of(frame: pl.DataFrame, exponents: Mapping[str, int], *, known: bool) -> tuple[Money, ...]:
    """Sums of every currency, that of most payments first. `known`: there are labels."""
    fraud, amount = pl.col("fraud"), pl.col("amount_minor")
    sums = (
        frame.drop_nulls(["amount_minor", "currency"])
        .group_by("currency", "outcome")
        .agg(payments=pl.len(), minor=amount.sum(), frauds=fraud.sum(), fraud_minor=amount.filter(fraud).sum())
    )
    found: dict[str, dict[str, tuple[int, int, int, int]]] = {}
    for currency, outcome, payments, minor, frauds, fraud_minor in sums.iter_rows():
        found.setdefault(currency, {})[outcome] = (payments, minor, frauds, fraud_minor)
    every = [_money(currency, exponents.get(currency), rows, known=known) for currency, rows in found.items()]
    return tuple(sorted(every, key=lambda one: (-one.payments, one.currency)))


def _money(currency: str, exponent: int | None, rows: Mapping[str, tuple[int, int, int, int]], *, known: bool) -> Money:
    outcomes = []
    for outcome in OUTCOMES:
        payments, minor, frauds, fraud_minor = rows.get(outcome, (0, 0, 0, 0))
        outcomes.append(OutcomeMoney(str(outcome), payments, minor, frauds if known else None, fraud_minor if known else None))
    return Money(currency, exponent, sum(row.payments for row in outcomes), tuple(outcomes))


def costliest_of(frame: pl.DataFrame, money: Sequence[Money]) -> tuple[Costliest, ...]:
    """The costliest mistakes of the first currencies."""
    allowed, fraud = pl.col("outcome") == Outcome.ALLOW, pl.col("fraud")
    wrong = frame.filter(fraud == allowed)
    found = []
    for one in money[:CURRENCIES_SHOWN]:
        mine = wrong.filter(pl.col("currency") == one.currency).drop_nulls("amount_minor")
        misses, alarms = mine.filter(fraud), mine.filter(~fraud)
        found.append(Costliest(one.currency, one.exponent, _cases(misses), len(misses), _cases(alarms), len(alarms)))
    return tuple(found)


def _cases(frame: pl.DataFrame) -> tuple[Case, ...]:
    first = frame.select("amount_minor", "event_id").with_row_index("at").sort(["amount_minor", "event_id"], descending=[True, False])
    entities = entities_of(frame)
    return tuple(
        Case(
            row["event_id"],
            row["source_id"],
            row["decision_id"],
            row["ts_us"],
            row["outcome"],
            row["score"],
            tuple(row["reasons"]),
            row["amount_minor"],
            {name: row[f"{ENTITY}{name}"] for name in entities if row[f"{ENTITY}{name}"] is not None},
            row["kind"] or "",
        )
        for row in frame[first["at"].head(CASES_SHOWN)].iter_rows(named=True)
    )
