"""Generates account payments of a second shape: string ids, two kinds of payment, empty merchants, labels with their own times."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.app.oracle.draws import I64, Draws

DAYS = 63
START_MS = 1_709_251_200_000  # 2024-03-01T00:00:00Z
DAY_MS = 86_400_000
PAYMENTS_PER_ACCOUNT_AND_DAY = 1.5
CARD_SHARE = 0.7
TAKEOVER_DAYS = 5
#: accounts taken over, per account and day
TAKEOVER_RATE = 1 / 2_500
#: share of an account's payments in a takeover that are the thief's
THIEF_SHARE = 0.6
#: share of honest payments that somebody investigates too
CLEARED_SHARE = 0.004
CHANNELS, COUNTRIES, CURRENCIES = ("app", "web", "pos"), ("DE", "FR", "NL", "PL"), ("EUR", "GBP")

Mask = NDArray[np.bool_]


def transfers_frame(rows: int, seed: int) -> pl.DataFrame:
    """`rows` payments over nine weeks, sorted by time: ids as text, amounts as decimal text, times in ms since 1970."""
    draws = Draws(seed)
    accounts = max(10, round(rows / DAYS / PAYMENTS_PER_ACCOUNT_AND_DAY))
    booked = np.sort(draws.below(DAYS, rows) * DAY_MS + _time_of_day(draws, rows))
    account = draws.weighted(1 + draws.below(1_000, accounts), rows)
    thief = _thief(draws, account, booked // DAY_MS, accounts)
    card = (draws.uniform(rows) < CARD_SHARE) & ~thief
    device = np.where(thief, accounts * 2 + draws.below(max(2, accounts // 50), rows), account * 2 + draws.below(2, rows))
    known = (draws.uniform(rows) < 0.9) | thief
    party = np.where(thief, draws.below(max(2, accounts // 100), rows), draws.below(accounts * 3, rows))
    columns = {
        "payment_id": _text("pay", np.arange(rows, dtype=np.int64)),
        "booked_at_ms": START_MS + booked,
        "payment_type": pl.Series(np.where(card, "card_payment", "transfer")),
        "amount": _amount_text(_cents(draws, card, thief)),
        "currency": _choice(CURRENCIES, account % len(CURRENCIES)),
        "debtor_account": _text("acc", account),
        "creditor_party": _text("pty", party, ~card),
        "merchant_id": _text("mer", draws.below(max(5, accounts // 4), rows), card),
        "device_id": _text("dev", device, known),
        "channel": _choice(CHANNELS, np.where(card, 2, draws.below(2, rows))),
        "country": _choice(COUNTRIES, np.where(thief, draws.below(len(COUNTRIES), rows), account % len(COUNTRIES))),
    }
    return pl.DataFrame({**columns, **_labels(draws, START_MS + booked, thief)})


def _time_of_day(draws: Draws, rows: int) -> I64:
    time = np.rint(DAY_MS * 0.55 + DAY_MS * 0.2 * draws.bell(rows)).astype(np.int64)
    wrapped: I64 = time % DAY_MS
    return wrapped


def _thief(draws: Draws, account: I64, day: I64, accounts: int) -> Mask:
    """Payments made by somebody else during a takeover of the account."""
    count = max(DAYS // 7, round(TAKEOVER_RATE * accounts * DAYS))
    taken = np.full((accounts, DAYS), False)
    for victim, start in zip(draws.below(accounts, count).tolist(), draws.below(DAYS, count).tolist(), strict=True):
        taken[victim, start : start + TAKEOVER_DAYS] = True
    thief: Mask = taken[account, day] & (draws.uniform(len(day)) < THIEF_SHARE)
    return thief


def _cents(draws: Draws, card: Mask, thief: Mask) -> I64:
    """Card payments are small, transfers larger; a thief empties accounts."""
    n = len(card)
    small, large = draws.between(1.0, 90.0, n), draws.between(20.0, 1_500.0, n) * draws.uniform(n)
    stolen = draws.between(800.0, 5_000.0, n)
    major = np.where(thief, stolen, np.where(card, small, large))
    cents: I64 = np.maximum(np.rint(major * 100).astype(np.int64), 1)
    return cents


def _labels(draws: Draws, booked_ms: I64, thief: Mask) -> dict[str, pl.Series]:
    """Confirmed frauds 1 to 20 days later, a few honest payments cleared 1 to 6 days later, nothing known about the rest."""
    n = len(thief)
    cleared = ~thief & (draws.uniform(n) < CLEARED_SHARE)
    days = np.where(thief, draws.between(1.0, 20.0, n), draws.between(1.0, 6.0, n))
    at = booked_ms + np.rint(days * DAY_MS).astype(np.int64)
    frame = pl.DataFrame({"thief": thief, "cleared": cleared, "at": at})
    told = pl.when("thief").then(pl.lit("confirmed_fraud")).when("cleared").then(pl.lit("cleared"))
    return {
        "investigation": frame.select(told.alias("x"))["x"],
        "investigated_at_ms": frame.select(pl.when(pl.col("thief") | pl.col("cleared")).then("at").alias("x"))["x"],
        "typology": frame.select(pl.when("thief").then(pl.lit("account_takeover")).alias("x"))["x"],
    }


def _amount_text(cents: I64) -> pl.Series:
    parts = pl.DataFrame({"major": cents // 100, "minor": cents % 100})
    return parts.select(pl.format("{}.{}", "major", pl.col("minor").cast(pl.String).str.zfill(2)).alias("x"))["x"]


def _text(prefix: str, numbers: I64, present: Mask | None = None) -> pl.Series:
    """Ids such as acc-0000042; null where not present."""
    frame = pl.DataFrame({"n": numbers, "present": np.full(len(numbers), True) if present is None else present})
    text = pl.format("{}-{}", pl.lit(prefix), pl.col("n").cast(pl.String).str.zfill(7))
    return frame.select(pl.when("present").then(text).alias("x"))["x"]


def _choice(names: tuple[str, ...], index: I64) -> pl.Series:
    return pl.Series(np.array(names)[index])
