"""The refusal of a value that is no time, by its cause, each with a remedy of its own."""

from __future__ import annotations

import polars as pl

from assay.app.oracle.mapping_time import TimeColumn
from assay.app.oracle.refusing import refuse_row
from assay.contracts.reasons import Reason

#: years 1 to 9999: what RFC 3339 can write
YEARS_US = (-62_135_596_800_000_000, 253_402_300_799_999_999)
#: what is read: RFC 3339, also with a blank for the T, without an offset, and with one digit of month, day and hour
WRITTEN = r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[Tt ][0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?$"
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


def refuse_lost(frame: pl.DataFrame, series: pl.Series, converted: pl.Series, spec: TimeColumn) -> None:
    """Raise INPUT_VALUE_INVALID for values that became no instant of the years 1 to 9999. `series` are the values, null for none."""
    absent = converted.is_null() & series.is_not_null()
    if spec.unit is not None:
        _refuse_no_number(frame, series, absent, spec)
    elif spec.format is not None:
        remedy = "Correct the value, or 'format' in the mapping."
        _refuse(frame, absent, spec, f"a time that does not fit the format '{spec.format}'", remedy)
    elif series.dtype == pl.String:
        _refuse_unwritten(frame, series, absent, spec)
    far = ~converted.is_between(*YEARS_US).fill_null(False) & series.is_not_null()
    remedy = "Correct the time, or its 'unit' or 'origin' in the mapping." if spec.unit else "Correct the time."
    _refuse(frame, far, spec, "a year outside 1 to 9999" + (f", counted in {spec.unit}" if spec.unit else ""), remedy)


def refuse_shifted(frame: pl.DataFrame, local: pl.Series, instants: pl.Series, spec: TimeColumn) -> None:
    """Raise INPUT_VALUE_INVALID for local times that their zone has twice or never, when clocks are put back or forward."""
    absent = instants.is_null() & local.is_not_null()
    if not absent.any():
        return
    zone = spec.zone or "UTC"
    once = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").is_not_null()
    remedy = "Declare 'ambiguous: earliest' or 'ambiguous: latest' of this time, or write offsets such as +02:00 into the file."
    _refuse(frame, absent & once, spec, f"a local time that {zone} has twice, because its clocks are put back then", remedy)
    remedy = "Correct 'zone' in the mapping (UTC has every time), or the time."
    _refuse(frame, absent & ~once, spec, f"a local time that {zone} never has, because its clocks are put forward then", remedy)


def _refuse_no_number(frame: pl.DataFrame, series: pl.Series, absent: pl.Series, spec: TimeColumn) -> None:
    number = series.cast(pl.Float64, strict=False).is_finite().fill_null(False)
    remedy = "Correct the value. For written times take 'unit' out of the mapping; declare 'format' if they are not RFC 3339."
    _refuse(frame, absent & ~number, spec, f"not a number of {spec.unit}", remedy)


def _refuse_unwritten(frame: pl.DataFrame, series: pl.Series, absent: pl.Series, spec: TimeColumn) -> None:
    written, day = series.str.contains(WRITTEN).fill_null(False), series.str.contains(_DAY).fill_null(False)
    remedy = "Correct it. If day and month stand in another order, declare 'format'."
    _refuse(frame, absent & written, spec, "a day or a time of day that does not exist", remedy)
    remedy = "Declare 'format: \"%Y-%m-%d\"' if all rows hold days, whose payments then stand at their beginning; or add the time of day."
    _refuse(frame, absent & day, spec, "a day without a time of day", remedy)
    remedy = (
        "Write RFC 3339 with a year of four digits, such as 2024-01-31 23:59:59. Declare 'format' for times that are written otherwise, "
        "'unit' for numbers."
    )
    _refuse(frame, absent & ~written & ~day, spec, "not a time as RFC 3339 writes it", remedy)


def _refuse(frame: pl.DataFrame, bad: pl.Series, spec: TimeColumn, what: str, remedy: str) -> None:
    refuse_row(frame, bad, Reason.INPUT_VALUE_INVALID, spec.name, what, remedy)
