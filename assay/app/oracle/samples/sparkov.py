"""Sparkov (Kaggle "Credit Card Transactions Fraud Detection Dataset", made with Sparkov Data Generation): fraudTrain.csv.

The first column is the number of the row and has no name. Times are local and name no zone. `unix_time` is seven years earlier than
`trans_date_trans_time`, as in the data set. All merchants are called `fraud_…`. Some names and jobs hold a comma.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl

from assay.app.oracle.draws import I64, Draws
from assay.app.oracle.samples.written import DAY_S, Sample, cents, days, flags, moments, named, point, rounded, some, words

#: the columns in the documentation of the data set, behind the one without a name
_HEADER = (
    ",trans_date_trans_time,cc_num,merchant,category,amt,first,last,gender,street,city,state,zip,lat,long,city_pop,job,dob,trans_num,"
    "unix_time,merch_lat,merch_long,is_fraud"
)
_BEGIN, _BEGIN_UNIX, _DAYS = "2019-01-01", 1_325_376_000, 60
_SHOPS = ("Rippin, Kub and Mann", "Heller, Gutmann and Zieme", "Lind-Buckridge", "Kutch Inc", "Keeling-Crist", "Stroman, Hudson and Erdman")
_CATEGORIES = (
    "misc_net", "grocery_pos", "entertainment", "gas_transport", "misc_pos", "grocery_net", "shopping_net", "shopping_pos",
    "food_dining", "personal_care", "health_fitness", "travel", "kids_pets", "home",
)  # fmt: skip
_STOLEN_AT = np.array([0, 1, 6, 7], np.int64)
_FIRST = ("Jennifer", "Stephanie", "Edward", "Jeremy", "Tyler", "Kathy")
_LAST = ("Banks", "Gill", "Sanchez", "White", "Garcia", "Simpson")
_STREETS = ("561 Perry Cove", "43039 Riley Greens Suite 393", "594 White Dale Suite 530", "9443 Cynthia Court Apt. 038")
_CITIES, _STATES = ("Moravian Falls", "Orient", "Malad City", "Boulder"), ("NC", "WA", "ID", "MT")
_JOBS = ("Psychologist, counselling", "Special educational needs teacher", "Nature conservation officer", "Patent attorney")


def _columns(draws: Draws, rows: int) -> Sequence[pl.Series]:
    people = max(5, rows // 60)
    second = moments(draws, rows, _DAYS * DAY_S)
    person = draws.weighted(1 + draws.below(60, people), rows)
    fraud = some(draws, rows, 1 / 120)
    person[fraud] = draws.below(1 + people // 10, rows)[fraud]
    category = draws.below(len(_CATEGORIES), rows)
    category[fraud] = _STOLEN_AT[draws.below(len(_STOLEN_AT), rows)][fraud]
    amount = cents(draws, rows, 1, 400)
    amount[fraud] = cents(draws, rows, 250, 1_400)[fraud]
    shop = draws.below(max(4, rows // 20), rows)
    lat, long = draws.between(25.0, 48.0, people), draws.between(-120.0, -70.0, people)
    return [
        pl.Series(np.arange(rows, dtype=np.int64)),
        days(second, _BEGIN, "%Y-%m-%d %H:%M:%S"),
        pl.Series(4_000_000_000_000_000 + person * 7_919),
        "fraud_" + words(_SHOPS, shop % len(_SHOPS)) + named(" {}", shop // len(_SHOPS)),
        words(_CATEGORIES, category),
        point(amount),
        *_person(person, lat, long),
        pl.Series([hashlib.sha256(f"{n}|{salt}".encode()).hexdigest()[:32] for n, salt in enumerate(draws.below(2**40, rows).tolist())]),
        pl.Series(_BEGIN_UNIX + second),
        rounded(lat[person] + draws.between(-1.0, 1.0, rows), 6),
        rounded(long[person] + draws.between(-1.0, 1.0, rows), 6),
        flags(fraud),
    ]


def _person(person: I64, lat: np.ndarray, long: np.ndarray) -> Sequence[pl.Series]:
    """From `first` to `dob`: the same of a person in every row."""
    return [
        words(_FIRST, person % 6),
        words(_LAST, person // 2 % 6),
        words(("F", "M"), person % 2),
        words(_STREETS, person % 4),
        words(_CITIES, person % 4),
        words(_STATES, person % 4),
        pl.Series(10_000 + person * 37 % 80_000),
        rounded(lat[person], 4),
        rounded(long[person], 4),
        pl.Series(149 + person * 991 % 900_000),
        words(_JOBS, person // 3 % 4),
        days((person * 331 % 18_000) * DAY_S, "1950-01-01", "%Y-%m-%d"),
    ]


SPARKOV = Sample(_HEADER, 4_000, _columns)
