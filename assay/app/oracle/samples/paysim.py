"""PaySim (Kaggle "Synthetic Financial Datasets For Fraud Detection", Lopez-Rojas et al. 2016): mobile money, one step per hour.

A fraud is a pair of the same hour: a TRANSFER that empties an account, and a CASH_OUT of the same amount. Frauds are more frequent here
than in the data set (about 0.13 % there), so that a small file has some.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from assay.app.oracle.draws import I64, Draws
from assay.app.oracle.samples.written import Mask, Sample, cents, flags, named, point, some, words

#: the columns in the documentation of the data set
_HEADER = "step,type,amount,nameOrig,oldbalanceOrg,newbalanceOrig,nameDest,oldbalanceDest,newbalanceDest,isFraud,isFlaggedFraud"
_TYPES = ("CASH_OUT", "PAYMENT", "CASH_IN", "TRANSFER", "DEBIT")
_CASH_OUT, _PAYMENT, _CASH_IN, _TRANSFER = range(4)
#: how often each type occurs, in percent
_SHARES = np.array([35, 34, 22, 8, 1], np.int64)
_STEPS = 720
#: `isFlaggedFraud` is of transfers of more than this
_FLAGGED_CENTS = 200_000_00
_IDS = 1_000_000_000


def _columns(draws: Draws, rows: int) -> Sequence[pl.Series]:
    step = np.sort(1 + draws.below(_STEPS, rows))
    first = some(draws, rows, 1 / 160)
    second = np.concatenate([[False], first[:-1]]) & ~first
    step[second] = step[np.flatnonzero(second) - 1]
    kind = draws.weighted(_SHARES, rows)
    kind[first], kind[second] = _TRANSFER, _CASH_OUT
    amount = np.where(kind == _PAYMENT, cents(draws, rows, 5, 40_000), cents(draws, rows, 20, 700_000))
    amount[first] = cents(draws, rows, 50_000, 2_000_000)[first]
    amount[second] = amount[np.flatnonzero(second) - 1]
    fraud = first | second
    old, new = _payer(draws, kind, amount, fraud)
    receiver, old_dest, new_dest = _receiver(draws, kind, amount, first)
    flagged = first & (amount > _FLAGGED_CENTS) & (draws.uniform(rows) < 0.1)
    return [
        pl.Series(step),
        words(_TYPES, kind),
        point(amount),
        named("C{}", _IDS + draws.below(_IDS, rows)),
        point(old),
        point(new),
        receiver,
        point(old_dest),
        point(new_dest),
        flags(fraud),
        flags(flagged),
    ]


def _payer(draws: Draws, kind: I64, amount: I64, fraud: Mask) -> tuple[I64, I64]:
    """Balances before and after; a fraud takes everything."""
    old = np.where(fraud, amount, cents(draws, len(kind), 0, 900_000))
    return old, np.where(kind == _CASH_IN, old + amount, np.maximum(old - amount, 0))


def _receiver(draws: Draws, kind: I64, amount: I64, stolen: Mask) -> tuple[pl.Series, I64, I64]:
    """Merchants have no balances; a few accounts receive what is stolen."""
    rows = len(kind)
    shop = kind == _PAYMENT
    number = np.where(stolen, draws.below(1 + rows // 500, rows) * 7_919, 1_000_000 + draws.below(1 + rows // 6, rows) * 101)
    old = np.where(shop | stolen, 0, cents(draws, rows, 0, 2_000_000))
    new = np.where(kind == _CASH_IN, np.maximum(old - amount, 0), old + amount)
    new[shop | stolen] = 0
    names = words(("C", "M"), shop.astype(np.int64)) + named("{}", _IDS + number)
    return names, old, new


PAYSIM = Sample(_HEADER, 4_000, _columns)
