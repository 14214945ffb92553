"""TabFormer (IBM "Tabular Transformers", card_transaction.v1.csv): by user and card, in minutes, without a zone.

Amounts have a dollar sign and may be negative (refunds); merchants are numbers, most of them negative. State and Zip are empty online;
`Errors?` is empty in most rows. Frauds are more frequent here than in the data set (0.12 % there).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from assay.app.oracle.draws import I64, Draws
from assay.app.oracle.samples.written import DAY_S, Sample, cents, days, known, some, whole, words

#: the columns in the documentation of the data set
_HEADER = "User,Card,Year,Month,Day,Time,Amount,Use Chip,Merchant Name,Merchant City,Merchant State,Zip,MCC,Errors?,Is Fraud?"
_BEGIN, _DAYS = "2019-06-01", 90
_USES = ("Swipe Transaction", "Chip Transaction", "Online Transaction")
_ONLINE = 2
_CITIES, _STATES = ("La Verne", "Monterey Park", "Mira Loma", "Houston", "New York"), ("CA", "CA", "CA", "TX", "NY")
_ZIPS = np.array([91_750, 91_754, 91_752, 77_002, 10_001], np.int64)
_ERRORS = ("Insufficient Balance", "Bad PIN", "Technical Glitch", "Bad PIN,Technical Glitch")
_CODES = np.array([5_300, 5_411, 5_651, 5_912, 4_829, 7_538], np.int64)


def _columns(draws: Draws, rows: int) -> Sequence[pl.Series]:
    users = max(3, rows // 100)
    user = draws.weighted(1 + draws.below(60, users), rows)
    minute = draws.below(_DAYS * DAY_S // 60, rows)
    fraud = some(draws, rows, 1 / 200)
    user[fraud] = draws.below(1 + users // 8, rows)[fraud]
    card = draws.below(1 + user % 3, rows)
    order = np.lexsort((minute, card, user))
    user, card, minute, fraud = user[order], card[order], minute[order], fraud[order]
    use = np.where(fraud, _ONLINE, draws.below(3, rows))
    shop = np.where(fraud, draws.below(max(2, rows // 400), rows), draws.below(max(6, rows // 10), rows))
    city = shop % len(_CITIES)
    here = use != _ONLINE
    amount = np.where(fraud, cents(draws, rows, 80, 900), cents(draws, rows, 1, 300))
    time = minute * 60
    return [
        pl.Series(user),
        pl.Series(card),
        *(days(time, _BEGIN, mark).cast(pl.Int64) for mark in ("%Y", "%m", "%d")),
        days(time, _BEGIN, "%H:%M"),
        _dollars(np.where(~fraud & (draws.uniform(rows) < 0.03), -amount, amount)),
        words(_USES, use),
        pl.Series((shop * 3_527_213_246_127 - 4_727_612_092_139_916_043) * np.where(shop % 3 == 0, -1, 1)),
        words((*_CITIES, "ONLINE"), np.where(here, city, len(_CITIES))),
        known(words(_STATES, city), here),
        known(whole(_ZIPS[city]), here),
        pl.Series(_CODES[shop % len(_CODES)]),
        known(words(_ERRORS, draws.below(len(_ERRORS), rows)), draws.uniform(rows) < 0.02),
        words(("No", "Yes"), fraud.astype(np.int64)),
    ]


def _dollars(hundredths: I64) -> pl.Series:
    """$134.09 and $-38.48."""
    size = np.abs(hundredths)
    parts = pl.DataFrame({"sign": words(("", "-"), (hundredths < 0).astype(np.int64)), "whole": size // 100, "rest": size % 100})
    return parts.select(pl.format("${}{}.{}", "sign", "whole", pl.col("rest").cast(pl.String).str.zfill(2))).to_series()


TABFORMER = Sample(_HEADER, 4_000, _columns)
