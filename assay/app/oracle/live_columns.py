"""Turns mapped columns into a live row's columns, or refuses them naming column, row and value."""

from __future__ import annotations

import polars as pl

from assay.app.oracle.mapping import AmountColumn, Mapping, TimeColumn, Value
from assay.app.oracle.reading import refuse_row, refuse_type
from assay.contracts.limits import AMOUNT_MINOR_END, ATTRIBUTE_CHARS_MAX, ID_CHARS_MAX, LABEL_CHARS_MAX
from assay.contracts.reasons import Reason

#: how far an amount may be from a whole minor unit
MINOR_UNIT_TOLERANCE = 1e-6
#: a double holds whole numbers exactly below this
EXACT_DOUBLE = 2**53
#: years 1 to 9999: what RFC 3339 can write
_YEARS_US = (-62_135_596_800_000_000, 253_402_300_799_999_999)
_AWARE = "%Y-%m-%dT%H:%M:%S%.f%#z"
_NAIVE = "%Y-%m-%dT%H:%M:%S%.f"
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def live_frame(frame: pl.DataFrame, mapping: Mapping, now_us: int) -> pl.DataFrame:
    """Columns source_id, ts_us, kind, amount_minor, currency, entity.<name>, attribute.<name>, in the file's order.

    `now_us`: a payment after it is refused. Raises Quarantine with the codes of the functions below.
    """
    columns = {
        "source_id": identifier(frame, mapping.id, required=True),
        "ts_us": instant(frame, mapping.time, required=True),
        "kind": constant_or_column(frame, mapping.kind),
        "amount_minor": amount(frame, mapping.amount),
        "currency": currency(frame, mapping.currency),
        **{f"entity.{name}": identifier(frame, column, required=False) for name, column in mapping.entities.items()},
        **{f"attribute.{name}": text(frame, name, ATTRIBUTE_CHARS_MAX, required=False) for name in mapping.attributes},
    }
    future = columns["ts_us"] > now_us
    remedy = "Correct the file, the time zone or the unit declared in the mapping."
    refuse_row(frame, future, Reason.TIME_IN_FUTURE, mapping.time.column, "a payment in the future", remedy)
    duplicate = columns["source_id"].is_duplicated()
    refuse_row(frame, duplicate, Reason.INPUT_ID_DUPLICATE, mapping.id, "an id that other rows have too", "Ids must be unique in the file.")
    return pl.DataFrame([series.alias(name) for name, series in columns.items()])


def instant(frame: pl.DataFrame, spec: TimeColumn, *, required: bool) -> pl.Series:
    """Microseconds since 1970 UTC; anything finer is cut off.

    Raises TIME_ZONE_MISSING for a naive time (or a number without unit), INPUT_VALUE_INVALID for text that is no instant, for
    a local time that occurs twice or never and for a year outside 1 to 9999, INPUT_VALUE_MISSING for null where `required`.
    """
    series = frame[spec.column]
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
    remedy = "Write RFC 3339 with an offset, or correct the mapping's zone or unit."
    refuse_row(frame, lost, Reason.INPUT_VALUE_INVALID, spec.column, "not an instant (or one that its zone has twice or never)", remedy)
    if required:
        _refuse_null(frame, series, spec.column)
    return converted


def amount(frame: pl.DataFrame, spec: AmountColumn) -> pl.Series:
    """Integer minor units, 0 up to AMOUNT_MINOR_END.

    Raises AMOUNT_NOT_WHOLE_MINOR_UNIT for a value further than 1e-6 minor units from a whole one (or 4 steps of a double, where
    those are larger), AMOUNT_OUT_OF_RANGE for a negative or too large one.
    """
    series = frame[spec.column]
    if not (series.dtype.is_numeric() or series.dtype == pl.String):
        refuse_type(spec.column, series.dtype, "a number")
    _refuse_null(frame, series, spec.column)
    major = series.cast(pl.Float64, strict=False)
    unreadable = ~major.is_finite().fill_null(False)
    refuse_row(frame, unreadable, Reason.INPUT_VALUE_INVALID, spec.column, "not a number", "Write a decimal number.")
    minor = major * float(10**spec.minor_unit_exponent)
    outside = (minor < 0) | (minor.round() >= AMOUNT_MINOR_END)
    remedy = f"Amounts are from 0 to less than {AMOUNT_MINOR_END} minor units; check the minor unit declared in the mapping."
    refuse_row(frame, outside, Reason.AMOUNT_OUT_OF_RANGE, spec.column, "an amount out of range", remedy)
    tolerance = (minor * 4 * 2.0**-52).clip(lower_bound=MINOR_UNIT_TOLERANCE)
    broken = (minor - minor.round()).abs() > tolerance
    what = f"an amount that is not a whole number of 10**-{spec.minor_unit_exponent}"
    refuse_row(frame, broken, Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, spec.column, what, "Declare the minor unit of this column.")
    return minor.round().cast(pl.Int64)


def identifier(frame: pl.DataFrame, column: str, *, required: bool) -> pl.Series:
    """Ids as text; whole floats (nullable integers of some writers) lose their point. Raises INPUT_COLUMN_TYPE."""
    series = frame[column]
    if series.dtype.is_float():
        whole = (series == series.round()) & (series.abs() < EXACT_DOUBLE)
        broken = ~whole.fill_null(True)
        refuse_row(frame, broken, Reason.INPUT_VALUE_INVALID, column, "an id that is not whole", "Write ids as integers or text.")
        frame = frame.with_columns(series.cast(pl.Int64))
    elif not (series.dtype.is_integer() or series.dtype == pl.String):
        refuse_type(column, series.dtype, "ids as integers or text")
    return text(frame, column, ID_CHARS_MAX, required=required)


def currency(frame: pl.DataFrame, spec: Value) -> pl.Series:
    """Three capital letters per row."""
    series = constant_or_column(frame, spec)
    column = spec.column or "currency"
    wrong = ~series.str.contains(r"^[A-Z]{3}$")
    view = frame if spec.column else frame.with_columns(series.alias(column))
    refuse_row(view, wrong, Reason.INPUT_VALUE_INVALID, column, "not a currency", "Write the three letters of ISO 4217.")
    return series


def constant_or_column(frame: pl.DataFrame, spec: Value) -> pl.Series:
    """A text for every row."""
    if spec.column is None:
        return pl.Series([spec.constant]).new_from_index(0, len(frame))
    return text(frame, spec.column, LABEL_CHARS_MAX, required=True)


def text(frame: pl.DataFrame, column: str, chars_max: int, *, required: bool) -> pl.Series:
    """A column as text of 1 to `chars_max` characters; empty text is null."""
    series = as_text(frame, column)
    series = series.set(series == "", None)
    long = (series.str.len_chars() > chars_max).fill_null(False)
    refuse_row(frame, long, Reason.INPUT_VALUE_INVALID, column, f"longer than {chars_max} characters", "Shorten it before the import.")
    if required:
        _refuse_null(frame, series, column)
    return series


def as_text(frame: pl.DataFrame, column: str) -> pl.Series:
    """A column's values written out. Raises INPUT_COLUMN_TYPE for lists, objects and bytes, which have no text."""
    series = frame[column]
    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        refuse_type(column, series.dtype, "plain values: text, numbers, booleans or times")
    return series.cast(pl.String)


def _refuse_null(frame: pl.DataFrame, series: pl.Series, column: str) -> None:
    refuse_row(frame, series.is_null(), Reason.INPUT_VALUE_MISSING, column, "a value is missing", "Every row needs this value.")


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
    joined = series.str.replace(" ", "T", literal=True)
    aware = joined.str.to_datetime(_AWARE, time_unit="us", strict=False)
    naive = joined.str.to_datetime(_NAIVE, time_unit="us", strict=False)
    _refuse_naive(frame, naive.is_not_null(), spec)
    with_offset = aware.dt.epoch("us")
    return with_offset if spec.zone is None else pl.select(pl.coalesce(with_offset, _to_utc_us(naive, spec))).to_series()


def _to_utc_us(series: pl.Series, spec: TimeColumn) -> pl.Series:
    if series.dtype.time_zone is None:  # type: ignore[attr-defined]  # only datetimes get here
        series = series.dt.replace_time_zone(_zone(spec), ambiguous="null", non_existent="null")
    return series.dt.convert_time_zone("UTC").dt.epoch("us")


def _zone(spec: TimeColumn) -> str:
    return spec.zone or "UTC"
