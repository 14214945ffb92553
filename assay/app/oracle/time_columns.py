"""Instants from a column: written times, stored ones, and numbers since 1970."""

from __future__ import annotations

import polars as pl

from assay.app.oracle.mapping_parts import EARLIEST, TimeColumn
from assay.app.oracle.refusing import refuse_row, refuse_type, values_of
from assay.app.oracle.text_columns import refuse_null
from assay.contracts.reasons import Reason

#: years 1 to 9999: what RFC 3339 can write
_YEARS_US = (-62_135_596_800_000_000, 253_402_300_799_999_999)
#: what is read: RFC 3339, also with a blank for the T, without an offset, and with one digit of month, day and hour
_FORM = r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[Tt ][0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$"
_AWARE = "%Y-%m-%dT%H:%M:%S%.f%#z"
_NAIVE = "%Y-%m-%dT%H:%M:%S%.f"
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def instant(frame: pl.DataFrame, spec: TimeColumn, *, required: bool) -> pl.Series:
    """Microseconds since 1970 UTC; anything finer is cut off.

    Raises TIME_ZONE_MISSING for a naive time (or a number without unit), INPUT_VALUE_INVALID for text that is no instant, for
    a local time that occurs twice or never, for a year outside 1 to 9999 and for a time before the column's `earliest`,
    INPUT_VALUE_MISSING for null where `required`.
    """
    series = values_of(frame, spec.column)
    if spec.unit is not None and (series.dtype == pl.String or series.dtype.is_integer()):
        converted = _since_epoch(series, spec)
    elif series.dtype == pl.String:
        converted = _written_time(frame, series, spec)
    elif isinstance(series.dtype, pl.Datetime):
        naive = series.is_not_null() if series.dtype.time_zone is None else pl.Series([False]).new_from_index(0, len(series))
        _refuse_naive(frame, naive, spec)
        _refuse_far(frame, series, spec)
        converted = _to_utc_us(series, spec)
    elif series.dtype.is_integer():
        refuse_type(spec.column, series.dtype, "a time; declare its unit (s, ms, us, ns) for a number since 1970")
    else:
        refuse_type(spec.column, series.dtype, "a time")
    lost = ~converted.is_between(*_YEARS_US).fill_null(False) & series.is_not_null()
    remedy = "Write RFC 3339 with a year of four digits, or correct the mapping's zone or unit."
    refuse_row(frame, lost, Reason.INPUT_VALUE_INVALID, spec.column, "not an instant (or one that its zone has twice or never)", remedy)
    _refuse_old(frame, converted, spec)
    if required:
        refuse_null(frame, series, spec.column)
    return converted


def _refuse_old(frame: pl.DataFrame, converted: pl.Series, spec: TimeColumn) -> None:
    old = (converted < spec.earliest_us).fill_null(False)
    remedy = "Correct the time or the unit declared in the mapping; if it is right, declare an earlier day as 'earliest' of this time."
    refuse_row(frame, old, Reason.INPUT_VALUE_INVALID, spec.column, f"a time before {spec.earliest or EARLIEST}", remedy)


def _refuse_naive(frame: pl.DataFrame, naive: pl.Series, spec: TimeColumn) -> None:
    if spec.zone is None:
        remedy = "Declare the column's zone in the mapping, for example 'zone: UTC'."
        refuse_row(frame, naive, Reason.TIME_ZONE_MISSING, spec.column, "a time without a zone", remedy)


def _refuse_far(frame: pl.DataFrame, series: pl.Series, spec: TimeColumn) -> None:
    """Refused as the numbers they are stored as: beyond these years conversions wrap around and no datetime can be shown."""
    numbers, per_second = series.to_physical(), _PER_SECOND[series.dtype.time_unit]  # type: ignore[attr-defined]  # only datetimes get here
    first, last = (us * per_second // _PER_SECOND["us"] for us in _YEARS_US)
    # the days at both ends are left to the check after the conversion: an offset may move a time across
    day = 86_400 * per_second
    far = ~numbers.is_between(max(first - day, -(2**63)), min(last + day, 2**63 - 1)).fill_null(True)
    view = frame.with_columns(numbers.alias(spec.column))
    refuse_row(view, far, Reason.INPUT_VALUE_INVALID, spec.column, "a year outside 1 to 9999", "Correct this time, or its unit.")


def _since_epoch(series: pl.Series, spec: TimeColumn) -> pl.Series:
    numbers = series.cast(pl.Int64, strict=False)
    per_second = _PER_SECOND[spec.unit or "us"]
    if per_second > _PER_SECOND["us"]:
        return numbers // (per_second // _PER_SECOND["us"])
    factor = _PER_SECOND["us"] // per_second
    fits = numbers.is_between(-(2**62) // factor, 2**62 // factor)
    return pl.select(pl.when(fits).then(numbers * factor)).to_series()


def _written_time(frame: pl.DataFrame, series: pl.Series, spec: TimeColumn) -> pl.Series:
    joined = series.set(~series.str.contains(_FORM), None).str.replace(" ", "T", literal=True).str.to_uppercase()
    aware = joined.str.to_datetime(_AWARE, time_unit="us", strict=False)
    naive = joined.str.to_datetime(_NAIVE, time_unit="us", strict=False)
    _refuse_naive(frame, naive.is_not_null(), spec)
    with_offset = aware.dt.epoch("us")
    return with_offset if spec.zone is None else pl.select(pl.coalesce(with_offset, _to_utc_us(naive, spec))).to_series()


def _to_utc_us(series: pl.Series, spec: TimeColumn) -> pl.Series:
    if series.dtype.time_zone is None:  # type: ignore[attr-defined]  # only datetimes get here
        series = series.dt.replace_time_zone(spec.zone or "UTC", ambiguous="null", non_existent="null")
    return series.dt.convert_time_zone("UTC").dt.epoch("us")
