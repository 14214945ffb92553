"""BankSim (Kaggle "Synthetic data from a financial payment system", Lopez-Rojas and Axelsson 2014): bs140513_032310.csv.

A step is a day of 180. Text stands between single quotation marks, numbers and the header do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from assay.app.oracle.draws import Draws
from assay.app.oracle.samples.written import Sample, cents, flags, named, point, some, words

#: the columns in the documentation of the data set
_HEADER = "step,customer,age,gender,zipcodeOri,merchant,zipMerchant,category,amount,fraud"
_STEPS = 180
_CATEGORIES = (
    "es_transportation", "es_food", "es_health", "es_wellnessandbeauty", "es_fashion", "es_barsandrestaurants", "es_hyper",
    "es_sportsandtoys", "es_tech", "es_home", "es_hotelservices", "es_otherservices", "es_contents", "es_travel", "es_leisure",
)  # fmt: skip
_SHARES = np.array([850, 44, 27, 25, 11, 11, 10, 7, 4, 3, 3, 2, 1, 1, 1], np.int64)
#: health, sports, hotels, travel, leisure
_STOLEN_AT = np.array([2, 7, 10, 13, 14], np.int64)
_AGES, _AGE_SHARES = ("0", "1", "2", "3", "4", "5", "6", "U"), np.array([1, 10, 31, 25, 18, 10, 4, 1], np.int64)
_GENDERS, _GENDER_SHARES = ("F", "M", "E", "U"), np.array([546, 452, 1, 1], np.int64)


def _columns(draws: Draws, rows: int) -> Sequence[pl.Series]:
    customers = max(10, rows // 40)
    customer = draws.below(customers, rows)
    age = draws.weighted(_AGE_SHARES, customers)[customer]
    gender = draws.weighted(_GENDER_SHARES, customers)[customer]
    fraud = some(draws, rows, 0.012)
    category = draws.weighted(_SHARES, rows)
    category[fraud] = _STOLEN_AT[draws.below(len(_STOLEN_AT), rows)][fraud]
    amount = cents(draws, rows, 0, 230)
    amount[fraud] = cents(draws, rows, 150, 4_000)[fraud]
    merchant = category * 3 + draws.below(3, rows)
    place = words(("28007",), np.zeros(rows, np.int64))
    return [
        pl.Series(np.sort(draws.below(_STEPS, rows))),
        named("'C{}'", 1_000_000_000 + customer * 7_919),
        _marked(words(_AGES, age)),
        _marked(words(_GENDERS, gender)),
        _marked(place),
        named("'M{}'", 348_934_600 + merchant * 104_729),
        _marked(place),
        _marked(words(_CATEGORIES, category)),
        point(amount),
        flags(fraud),
    ]


def _marked(text: pl.Series) -> pl.Series:
    return "'" + text + "'"


BANKSIM = Sample(_HEADER, 4_000, _columns, marked=True)
