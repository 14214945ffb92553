"""IEEE-CIS Fraud Detection (Kaggle 2019, data of Vesta): train_transaction.csv, 394 columns, most of them empty in many rows.

`TransactionDT` is seconds from a moment that nobody told, 86400 in the first row. Amounts are in USD; those of product C were converted and
have three decimals. The file of identities is not part of the sample: it has rows for a quarter of the transactions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from assay.app.oracle.draws import I64, Draws
from assay.app.oracle.samples.written import DAY_S, Mask, Sample, cents, flags, known, moments, point, some, whole, words

#: the columns in the documentation of the data set
_HEADER = ",".join(
    (
        "TransactionID,isFraud,TransactionDT,TransactionAmt,ProductCD,card1,card2,card3,card4,card5,card6,addr1,addr2,dist1,dist2",
        "P_emaildomain,R_emaildomain",
        *(f"{letter}{n}" for letter, last in (("C", 14), ("D", 15), ("M", 9), ("V", 339)) for n in range(1, last + 1)),
    )
)
_FIRST_ID = 2_987_000
_DAYS = 60
_PRODUCTS, _SHARES = ("W", "C", "R", "H", "S"), np.array([74, 12, 6, 6, 2], np.int64)
_NETWORKS, _SORTS = ("visa", "mastercard", "american express", "discover"), ("debit", "credit")
_MAILS = ("gmail.com", "yahoo.com", "hotmail.com", "anonymous.com", "aol.com", "outlook.com")
#: product C, whose amounts were converted from other currencies
_CONVERTED = 1
#: V columns are empty together, a block at a time; how often, block by block
_BLOCK, _EMPTY = 34, (0.47, 0.13, 0.15, 0.0, 0.75, 0.76, 0.77, 0.86, 0.02, 0.85)


def _columns(draws: Draws, rows: int) -> Sequence[pl.Series]:
    time = DAY_S + moments(draws, rows, _DAYS * DAY_S)
    time[0] = DAY_S
    card = draws.weighted(1 + draws.below(50, max(10, rows // 6)), rows)
    stolen = draws.below(max(2, rows // 60), rows)
    fraud = some(draws, rows, 0.035)
    card[fraud] = stolen[fraud]
    product = draws.weighted(_SHARES, rows)
    product[fraud] = np.where(draws.uniform(rows) < 0.5, _CONVERTED, product)[fraud]
    thousandths = cents(draws, rows, 5, 900) * 10
    converted = product == _CONVERTED
    thousandths[converted] = thousandths[converted] // 4 + draws.below(10, rows)[converted]
    return [
        pl.Series(_FIRST_ID + np.arange(rows, dtype=np.int64)),
        flags(fraud),
        pl.Series(time),
        point(thousandths, 1_000.0),
        words(_PRODUCTS, product),
        pl.Series(1_000 + card),
        known(whole(100 + card % 500), _filled(draws, rows, 0.015)),
        whole(np.where(converted, 185, 150)),
        words(_NETWORKS, card % len(_NETWORKS)),
        whole(100 + card % 137),
        words(_SORTS, card % len(_SORTS)),
        *_places(draws, rows, card),
        *_mails(draws, rows),
        *_counted(draws, rows),
        *_engineered(draws, rows),
    ]


def _places(draws: Draws, rows: int, card: I64) -> Sequence[pl.Series]:
    """addr1, addr2, dist1, dist2."""
    there = _filled(draws, rows, 0.11)
    near, far = _filled(draws, rows, 0.6), _filled(draws, rows, 0.94)
    distances = [known(whole(draws.below(500, rows)), mask) for mask in (near, far)]
    return [known(whole(100 + card % 400), there), known(whole(np.full(rows, 87, np.int64)), there), *distances]


def _mails(draws: Draws, rows: int) -> Sequence[pl.Series]:
    return [known(words(_MAILS, draws.below(len(_MAILS), rows)), _filled(draws, rows, empty)) for empty in (0.16, 0.77)]


def _counted(draws: Draws, rows: int) -> Sequence[pl.Series]:
    """C1 to C14 are counts, D1 to D15 days, M1 to M9 matches (M4 is a word)."""
    counts = [whole(draws.below(4, rows)) for _ in range(14)]
    spans = [known(whole(draws.below(300, rows)), _filled(draws, rows, 0.0 if n == 1 else 0.5)) for n in range(1, 16)]
    answers = [("M0", "M1", "M2") if n == 4 else ("T", "F") for n in range(1, 10)]
    matches = [known(words(two, draws.below(2, rows)), _filled(draws, rows, 0.5)) for two in answers]
    return [*counts, *spans, *matches]


def _engineered(draws: Draws, rows: int) -> Sequence[pl.Series]:
    columns: list[pl.Series] = []
    for empty in _EMPTY:
        mask = _filled(draws, rows, empty)
        columns += [known(whole(draws.below(3, rows)), mask) for _ in range(min(_BLOCK, 339 - len(columns)))]
    return columns


def _filled(draws: Draws, rows: int, empty: float) -> Mask:
    mask: Mask = draws.uniform(rows) >= empty
    return mask


IEEE_CIS = Sample(_HEADER, 2_500, _columns)
