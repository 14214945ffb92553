"""ULB credit cards (Machine Learning Group of the Université Libre de Bruxelles, Kaggle "Credit Card Fraud Detection"): two days of 2013.

`Time` is seconds since the first transaction; V1 to V28 are principal components. The header and `Class` are in quotation marks. There
is no id of a card or a merchant. Frauds are more frequent here than in the data set (0.17 % there).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from assay.app.oracle.draws import Draws
from assay.app.oracle.samples.written import Sample, cents, flags, moments, point, rounded, some

#: the columns in the documentation of the data set
_HEADER = ",".join(f'"{name}"' for name in ("Time", *(f"V{n}" for n in range(1, 29)), "Amount", "Class"))
_END_S = 172_793
_COMPONENTS = 28
#: components that frauds move, and by how much
_MOVED = {3: -6.0, 4: 4.5, 10: -5.5, 12: -6.0, 14: -7.0, 17: -6.5}
#: amounts that occur often, in cents; thieves try the first
_USUAL = np.array([100, 89, 198, 999, 1_500, 1_000, 7_690], np.int64)


def _columns(draws: Draws, rows: int) -> Sequence[pl.Series]:
    time = moments(draws, rows, _END_S)
    time -= time[0]
    fraud = some(draws, rows, 1 / 150)
    amount = np.where(draws.uniform(rows) < 0.2, _USUAL[draws.below(len(_USUAL), rows)], cents(draws, rows, 0, 900))
    amount[fraud] = np.where(draws.uniform(rows) < 0.5, _USUAL[0], cents(draws, rows, 20, 2_000))[fraud]
    components = []
    for number in range(1, _COMPONENTS + 1):
        values = draws.bell(rows) * (2.0 - number / 16)
        values[fraud] += _MOVED.get(number, 0.0)
        components.append(rounded(values, 12))
    written = point(amount).cast(pl.String).str.strip_suffix(".0")
    marked = '"' + flags(fraud).cast(pl.String) + '"'
    return [pl.Series(time), *components, written, marked]


CREDITCARD = Sample(_HEADER, 4_000, _columns, marked=True)
