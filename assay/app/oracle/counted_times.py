"""Instants from numbers that count from an origin: exact for integers, decimals and text, and as near as a float can say."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl

from assay.app.oracle.mapping_time import TimeColumn
from assay.app.oracle.refusing import refuse_row
from assay.app.oracle.text_columns import FLOAT_EXACT
from assay.contracts.reasons import Reason

#: a unit as a fraction of µs: (numerator, denominator)
_UNIT_US = {
    "d": (86_400_000_000, 1),
    "h": (3_600_000_000, 1),
    "min": (60_000_000, 1),
    "s": (10**6, 1),
    "ms": (1000, 1),
    "us": (1, 1),
    "ns": (1, 1000),
}
#: months from here on lie beyond all years
_MONTHS_END = 12 * 9999
#: digits of a fraction that are read
_DIGITS = 15
_PLAIN = r"^([+-]?)([0-9]{1,19})(?:\.([0-9]*))?$"


def since_origin(frame: pl.DataFrame, series: pl.Series, spec: TimeColumn) -> pl.Series:
    """µs since 1970 of numbers or text with numbers; null where one is too large or no number.

    Anything finer than µs is cut off; a float with a fraction is rounded, because it is only near to the number that was written.
    Raises INPUT_VALUE_INVALID for a small float that cannot tell microseconds apart.
    """
    if spec.unit == "month":
        return _months(series, spec)
    if series.dtype.is_integer():
        counted = _exact(series, pl.Series([0], dtype=pl.Int64).new_from_index(0, len(series)), spec)
    elif series.dtype.is_float():
        counted = _of_floats(frame, series, spec)
    else:
        parts = series.cast(pl.String).str.extract_groups(_PLAIN).struct.unnest().get_columns()
        sign = pl.select(pl.when(parts[0] == "-").then(-1).otherwise(1)).to_series()
        digits = parts[2].fill_null("").str.slice(0, _DIGITS).str.pad_end(_DIGITS, "0")
        plain = _exact(parts[1].cast(pl.Int64, strict=False) * sign, digits.cast(pl.Int64) * sign, spec)
        other = series.set(parts[1].is_not_null(), None).cast(pl.Float64, strict=False)  # such as 1.7e9
        counted = pl.select(pl.coalesce(plain, _of_floats(frame, other, spec))).to_series()
    return counted + spec.origin_us


def _months(series: pl.Series, spec: TimeColumn) -> pl.Series:
    """Whole months of the calendar from the origin, in UTC; null for any other number."""
    numbers = series.cast(pl.Float64, strict=False)
    count = numbers.set(~((numbers == numbers.floor()) & (numbers.abs() < _MONTHS_END)).fill_null(False), None).cast(pl.Int64)
    origin = datetime.fromtimestamp(spec.origin_us / 10**6, UTC)
    month = origin.year * 12 + origin.month - 1 + count
    dates = pl.date(pl.col("month") // 12, pl.col("month") % 12 + 1, pl.lit(origin.day))
    first = pl.DataFrame({"month": month}).select(dates).to_series()
    return first.cast(pl.Datetime("us")).dt.epoch("us") + spec.origin_us % 86_400_000_000


def _exact(whole: pl.Series, fraction: pl.Series, spec: TimeColumn) -> pl.Series:
    """`whole` units and `fraction` · 10**-15 of one, in µs; null beyond 2**62."""
    numerator, denominator = _UNIT_US[spec.unit or "s"]
    number = whole.cast(pl.Int64, strict=False)
    limit = min(2**62 // numerator * denominator, 2**63 - 1)
    scale, by, over = (pl.lit(value, dtype=pl.Int128) for value in (10**_DIGITS, numerator, denominator * 10**_DIGITS))
    us = (pl.col("whole").cast(pl.Int128) * scale + pl.col("fraction").cast(pl.Int128)) * by // over
    return (
        pl.DataFrame({"whole": number, "fraction": fraction})
        .select(pl.when(pl.col("whole").is_between(-limit, limit)).then(us).cast(pl.Int64))
        .to_series()
    )


def _of_floats(frame: pl.DataFrame, series: pl.Series, spec: TimeColumn) -> pl.Series:
    numerator, denominator = _UNIT_US[spec.unit or "s"]
    double = series.cast(pl.Float64)  # polars takes no floor of Float16
    whole = ((double == double.floor()) & (double.abs() < FLOAT_EXACT[type(series.dtype)])).fill_null(False)
    if series.dtype != pl.Float64:
        with np.errstate(invalid="ignore"):
            step_us = np.spacing(np.abs(series.fill_null(0).to_numpy())).astype(np.float64) * numerator / denominator
        coarse = ~whole & pl.Series(~(step_us <= 1)) & series.is_not_null()
        remedy = f"Write the column as integers, decimal, text or Float64, not as {series.dtype}."
        refuse_row(frame, coarse, Reason.INPUT_VALUE_INVALID, spec.name, "a time whose microseconds its type cannot tell apart", remedy)
    us = (double * numerator / denominator).round()
    near = pl.select(pl.when(us.abs() < 2.0**62).then(us)).to_series().cast(pl.Int64)
    numbers = double.set(~whole, None).cast(pl.Int64)
    exact = _exact(numbers, pl.Series([0], dtype=pl.Int64).new_from_index(0, len(series)), spec)
    return pl.select(pl.coalesce(exact, near)).to_series()
