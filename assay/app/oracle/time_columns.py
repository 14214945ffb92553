"""Instants from a column: written times, stored ones, and numbers since 1970."""

from __future__ import annotations

import polars as pl

from assay.app.oracle.counted_times import since_origin
from assay.app.oracle.format_digits import digits_pattern
from assay.app.oracle.mapping_time import TimeColumn
from assay.app.oracle.refusing import refuse_row, refuse_type, values_of
from assay.app.oracle.text_columns import as_text, joined, refuse_null
from assay.app.oracle.time_faults import WRITTEN, YEARS_US, refuse_lost, refuse_shifted
from assay.contracts.errors import Quarantine
from assay.contracts.limits import EARLIEST
from assay.contracts.reasons import Reason

_AWARE = "%Y-%m-%dT%H:%M:%S%.f%#z"
_NAIVE = "%Y-%m-%dT%H:%M:%S%.f"
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def instant(frame: pl.DataFrame, spec: TimeColumn, *, required: bool) -> pl.Series:
    """Microseconds since 1970 UTC; anything finer is cut off (a float with a fraction is rounded).

    Raises TIME_ZONE_MISSING for a naive time (or a number without unit), INPUT_VALUE_INVALID for text that is no instant, for
    a local time that occurs twice or never, for a float that is too coarse, for a year outside 1 to 9999 and for a time before the
    column's `earliest`, INPUT_VALUE_MISSING for null where `required`.
    """
    frame = joined(frame, spec.names, spec.name)
    series = values_of(frame, spec.name)
    if spec.unit is not None:
        if not (series.dtype == pl.String or series.dtype.is_numeric()):
            refuse_type(spec.name, series.dtype, "numbers, because the mapping declares a 'unit'")
        converted = since_origin(frame, series, spec)
    elif spec.format is not None:
        converted = _formatted(frame, as_text(frame, spec.name), spec, spec.format)
    elif series.dtype == pl.String:
        converted = _written_time(frame, series, spec)
    elif isinstance(series.dtype, pl.Datetime):
        naive = series.is_not_null() if series.dtype.time_zone is None else pl.Series([False]).new_from_index(0, len(series))
        _refuse_naive(frame, naive, spec)
        _refuse_far(frame, series, spec)
        converted = _to_utc_us(frame, series, spec)
    elif series.dtype.is_integer():
        refuse_type(
            spec.name, series.dtype, "a time; declare its unit (s, ms, us, ns, min, h, d, month) for a number since 1970 or an 'origin'"
        )
    elif series.dtype == pl.Date:
        refuse_type(spec.name, series.dtype, "a time; declare format: '%Y-%m-%d' for days, whose payments then stand at their beginning")
    else:
        refuse_type(spec.name, series.dtype, "a time")
    refuse_lost(frame, series, converted, spec)
    _refuse_old(frame, converted, spec)
    if required:
        refuse_null(frame, series, spec.name)
    return converted


def _refuse_old(frame: pl.DataFrame, converted: pl.Series, spec: TimeColumn) -> None:
    old = (converted < spec.earliest_us).fill_null(False)
    remedy = "Correct the time or the unit declared in the mapping; if it is right, declare an earlier day as 'earliest' of this time."
    refuse_row(frame, old, Reason.INPUT_VALUE_INVALID, spec.name, f"a time before {spec.earliest or EARLIEST}", remedy)


def _refuse_naive(frame: pl.DataFrame, naive: pl.Series, spec: TimeColumn) -> None:
    if spec.zone is None:
        remedy = "Declare the column's zone in the mapping, for example 'zone: UTC'."
        refuse_row(frame, naive, Reason.TIME_ZONE_MISSING, spec.name, "a time without a zone", remedy)


def _refuse_far(frame: pl.DataFrame, series: pl.Series, spec: TimeColumn) -> None:
    """Refused as the numbers they are stored as: beyond these years conversions wrap around and no datetime can be shown."""
    numbers, per_second = series.to_physical(), _PER_SECOND[series.dtype.time_unit]  # type: ignore[attr-defined]  # only datetimes get here
    first, last = (us * per_second // _PER_SECOND["us"] for us in YEARS_US)
    # the days at both ends are left to the check after the conversion: an offset may move a time across
    day = 86_400 * per_second
    far = ~numbers.is_between(max(first - day, -(2**63)), min(last + day, 2**63 - 1)).fill_null(True)
    view = frame.with_columns(numbers.alias(spec.name))
    refuse_row(view, far, Reason.INPUT_VALUE_INVALID, spec.name, "a year outside 1 to 9999", "Correct this time, or its unit.")


def _formatted(frame: pl.DataFrame, text: pl.Series, spec: TimeColumn, form: str) -> pl.Series:
    try:
        read = _strptime(text, form)
    except pl.exceptions.PolarsError as error:
        what = f"the format '{form}' cannot be read: {str(error).splitlines()[0]}"
        remedy = "Correct 'format' in the mapping; it is a format of strptime."
        raise Quarantine(Reason.INPUT_VALUE_INVALID, what, where=f"column '{spec.name}'", remedy=remedy) from None
    short = read.is_not_null() & ~_whole(text, form)
    what = f"a number without all its digits, or without the blank before it, where the format '{form}' has no other separator"
    remedy = "Write each number with all its digits, as in 013005 for 1:30:05: numbers lose zeros at their beginning, text keeps them."
    refuse_row(frame, short, Reason.INPUT_VALUE_INVALID, spec.name, what, remedy)
    if read.dtype == pl.Datetime("us"):
        _refuse_naive(frame, read.is_not_null(), spec)
    return _to_utc_us(frame, read, spec)


def by_format(text: pl.Series, form: str) -> pl.Series:
    """Text read by a format of strptime; null where it does not fit, or where a number without a separator lacks digits."""
    return _strptime(text, form).set(~_whole(text, form), None)


def _strptime(text: pl.Series, form: str) -> pl.Series:
    """A number that no separator ends is taken with the digits that are there: see `_whole`."""
    return text.str.to_datetime(form.replace(".%f", "%.f"), time_unit="us", strict=False)


def _whole(text: pl.Series, form: str) -> pl.Series:
    """Which values tell where each number ends; null is one."""
    pattern = digits_pattern(form.replace(".%f", "%.f"))
    return text.str.contains(pattern).fill_null(True) if pattern else pl.Series([True]).new_from_index(0, len(text))


def _written_time(frame: pl.DataFrame, series: pl.Series, spec: TimeColumn) -> pl.Series:
    joined = series.set(~series.str.contains(WRITTEN), None).str.replace(" ", "T", literal=True).str.to_uppercase()
    aware = joined.str.to_datetime(_AWARE, time_unit="us", strict=False)
    naive = joined.str.to_datetime(_NAIVE, time_unit="us", strict=False)
    _refuse_naive(frame, naive.is_not_null(), spec)
    with_offset = aware.dt.epoch("us")
    return with_offset if spec.zone is None else pl.select(pl.coalesce(with_offset, _to_utc_us(frame, naive, spec))).to_series()


def _to_utc_us(frame: pl.DataFrame, series: pl.Series, spec: TimeColumn) -> pl.Series:
    if series.dtype.time_zone is None:  # type: ignore[attr-defined]  # only datetimes get here
        ambiguous = spec.ambiguous if spec.ambiguous in ("earliest", "latest") else "null"
        local, series = series, series.dt.replace_time_zone(spec.zone or "UTC", ambiguous=ambiguous, non_existent="null")
        refuse_shifted(frame, local, series, spec)
    return series.dt.convert_time_zone("UTC").dt.epoch("us")
