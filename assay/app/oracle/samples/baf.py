"""BAF (Feedzai "Bank Account Fraud", NeurIPS 2022, Base.csv): applications for accounts, in no order within a month.

There is no id of anybody, and the time is a month from 0 to 7. -1 says that a value is missing. No amount is paid: the proposed credit
limit is the money at stake.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from assay.app.oracle.draws import I64, Draws
from assay.app.oracle.samples.written import Mask, Sample, flags, rounded, some, whole, words

#: the columns in the data sheet of the data set
_HEADER = (
    "fraud_bool,income,name_email_similarity,prev_address_months_count,current_address_months_count,customer_age,days_since_request,"
    "intended_balcon_amount,payment_type,zip_count_4w,velocity_6h,velocity_24h,velocity_4w,bank_branch_count_8w,"
    "date_of_birth_distinct_emails_4w,employment_status,credit_risk_score,email_is_free,housing_status,phone_home_valid,"
    "phone_mobile_valid,bank_months_count,has_other_cards,proposed_credit_limit,foreign_request,source,session_length_in_minutes,"
    "device_os,keep_alive_session,device_distinct_emails_8w,device_fraud_count,month"
)
_MONTHS = 8
_LIMITS = np.array([190, 200, 500, 1_000, 1_500, 2_000], np.int64)
_SYSTEMS = ("linux", "other", "windows", "macintosh", "x11")
#: windows
_STOLEN_ON = 2


def _columns(draws: Draws, rows: int) -> Sequence[pl.Series]:
    fraud = some(draws, rows, 0.011)
    system = draws.weighted(np.array([33, 34, 26, 5, 2], np.int64), rows)
    system[fraud & (draws.uniform(rows) < 0.6)] = _STOLEN_ON
    limit = _LIMITS[draws.below(len(_LIMITS), rows)]
    limit[fraud] = np.maximum(limit[fraud], 1_000)
    return [
        flags(fraud),
        pl.Series((1 + draws.below(9, rows)) / 10.0),
        rounded(draws.uniform(rows), 12),
        _or_missing(draws.below(380, rows), draws.uniform(rows) < 0.71),
        _or_missing(draws.below(428, rows), draws.uniform(rows) < 0.004),
        pl.Series(10 * (1 + draws.below(8, rows))),
        rounded(draws.uniform(rows) * draws.uniform(rows) * 70, 12),
        rounded(np.where(draws.uniform(rows) < 0.74, -draws.uniform(rows) * 2, draws.uniform(rows) * 110), 12),
        words(("AA", "AB", "AC", "AD", "AE"), draws.weighted(np.array([26, 37, 25, 11, 1], np.int64), rows)),
        pl.Series(1 + draws.below(6_700, rows)),
        rounded(draws.between(0.0, 16_000.0, rows), 10),
        rounded(draws.between(1_300.0, 9_500.0, rows), 10),
        rounded(draws.between(2_800.0, 7_000.0, rows), 10),
        pl.Series(draws.below(2_385, rows)),
        pl.Series(draws.below(40, rows)),
        words(("CA", "CB", "CC", "CD", "CE", "CF", "CG"), draws.weighted(np.array([73, 14, 4, 3, 2, 3, 1], np.int64), rows)),
        pl.Series(draws.below(560, rows) - 170),
        flags(draws.uniform(rows) < 0.53),
        words(("BA", "BB", "BC", "BD", "BE", "BF", "BG"), draws.weighted(np.array([17, 26, 37, 3, 15, 1, 1], np.int64), rows)),
        flags(draws.uniform(rows) < 0.42),
        flags(draws.uniform(rows) < 0.89),
        _or_missing(1 + draws.below(31, rows), draws.uniform(rows) < 0.25),
        flags(draws.uniform(rows) < 0.22),
        whole(limit),
        flags(draws.uniform(rows) < 0.03),
        words(("INTERNET", "TELEAPP"), (draws.uniform(rows) < 0.007).astype(np.int64)),
        rounded(draws.between(0.1, 85.0, rows), 12),
        words(_SYSTEMS, system),
        flags(draws.uniform(rows) < 0.58),
        _or_missing(draws.below(3, rows), draws.uniform(rows) < 0.001),
        pl.Series(np.zeros(rows, np.int64)),
        pl.Series(np.sort(draws.below(_MONTHS, rows))),
    ]


def _or_missing(values: I64, missing: Mask) -> pl.Series:
    return pl.Series(np.where(missing, -1, values))


BAF = Sample(_HEADER, 4_000, _columns)
