"""Values of typed columns as JSON holds them, and the same values of the same type again.

JSON has text, whole numbers, numbers and flags. Of a column of another type, the type is written beside the row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import polars as pl
import polars.selectors as cs

from assay.app.oracle.column_types import plain_types

#: microseconds from the year 1 to 9999 with a day at both ends for offsets; polars writes no time that is far from them
_FIRST_US, _LAST_US = -62_135_510_400_000_000, 253_402_128_000_000_000
_US: Final = {"ms": (1, 1_000), "us": (1, 1), "ns": (1_000, 1)}
_DAY_US: Final = 86_400_000_000
#: floats that JSON has no number for, as they are written
NOT_FINITE: Final = ("NaN", "inf", "-inf")
FLOATS: Final[dict[str, type[pl.DataType]]] = {"Float16": pl.Float16, "Float32": pl.Float32, "Float64": pl.Float64}
#: types of parts of a list or an object that are written as JSON
_PARTS: Final = (
    pl.String,
    pl.Boolean,
    pl.Null,
    pl.Int8,
    pl.Int16,
    pl.Int32,
    pl.Int64,
    pl.UInt8,
    pl.UInt16,
    pl.UInt32,
    pl.Float32,
    pl.Float64,
)


class OtherType(ValueError):
    """A value that a column of this type cannot hold; `place`: its row, from 0."""

    def __init__(self, place: int, what: str, remedy: str) -> None:
        super().__init__(what)
        self.place, self.what, self.remedy = place, what, remedy


def written(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """Columns that JSON lines hold, and column → type of those that would be read back as another one."""
    held, types = [], {}
    for series in plain_types(frame).iter_columns():
        dtype = series.dtype
        if dtype.is_float() or dtype.is_decimal() or dtype.is_temporal() or dtype == pl.Binary:
            types[series.name] = _name(dtype)
        held.append(_as_json(series).alias(series.name))
    return pl.DataFrame(held), types


def not_finite(frame: pl.DataFrame) -> dict[int, dict[str, str]]:
    """Row, from 0 → column → the float that is no number of JSON, in words."""
    found: dict[int, dict[str, str]] = {}
    for series in frame.select(cs.float()).iter_columns():
        for place in (~series.is_finite()).fill_null(False).arg_true():
            found.setdefault(place, {})[series.name] = str(series[place]).replace("nan", "NaN")
    return found


def in_words(series: pl.Series) -> pl.Series:
    """The values of a column of any type as text."""
    held = _as_json(series)
    return _nested_in_words(held) if held.dtype.is_nested() else held.cast(pl.String)


def restored(series: pl.Series, kind: str) -> pl.Series:
    """Values that were read from JSON as the type that was written beside them.

    Whole numbers in place of floats stay whole: somebody wrote them anew. Raises OtherType for a value that is none of this type.
    """
    if kind in FLOATS:
        return series if series.dtype.is_integer() else series.cast(pl.Float64).cast(FLOATS[kind])
    text = series.cast(pl.String)
    for pattern, read, remedy in _READERS:
        told = re.fullmatch(pattern, kind)
        if told:
            found = read(text, *told.groups())
            _refuse_other(text, found, kind, remedy)
            return found
    raise OtherType(0, f"no type is called {kind!r}", "Leave 'types' as it was written.")


def _name(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Datetime):
        return f"Datetime({dtype.time_unit}{f', {dtype.time_zone}' if dtype.time_zone else ''})"
    if isinstance(dtype, pl.Duration):
        return f"Duration({dtype.time_unit})"
    return f"Decimal({dtype.precision}, {dtype.scale})" if isinstance(dtype, pl.Decimal) else str(dtype)


def _as_json(series: pl.Series) -> pl.Series:
    dtype = series.dtype
    if dtype in (pl.Datetime, pl.Date):
        return _times(series)
    if dtype == pl.Duration:
        return series.to_physical()
    if dtype == pl.Binary:
        return series.bin.encode("hex")
    if dtype in (pl.UInt64, pl.Int128):
        small = series.cast(pl.Int64, strict=False)
        return small if small.null_count() == series.null_count() else series.cast(pl.String)
    if dtype.is_nested() and not _is_json(dtype):
        return _nested_in_words(series)
    if dtype == pl.Time:  # a cast would cut off its fraction
        return series.dt.to_string("%H:%M:%S%.f")
    return series.cast(pl.String) if dtype.is_decimal() else series


def _times(series: pl.Series) -> pl.Series:
    """Times and days in words; one outside of all years as the number that is stored."""
    stored = series.to_physical().cast(pl.Int64)
    by, over = _US[series.dtype.time_unit] if isinstance(series.dtype, pl.Datetime) else (1, _DAY_US)
    first, last = max(_FIRST_US * by // over, -(2**63)), min(_LAST_US * by // over, 2**63 - 1)
    near = stored.is_between(first, last).fill_null(False)
    return series.set(~near, None).cast(pl.String).zip_with(near, stored.cast(pl.String))


def _nested_in_words(series: pl.Series) -> pl.Series:
    return pl.Series([None if value is None else str(value) for value in series.to_list()], dtype=pl.String)


def _is_json(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.Struct):
        return all(_is_json(pl.List(field.dtype)) for field in dtype.fields)
    if isinstance(dtype, pl.List):
        inner = dtype.inner
        return inner in _PARTS or (isinstance(inner, pl.List | pl.Struct) and _is_json(inner))
    return False


def _refuse_other(text: pl.Series, found: pl.Series, kind: str, remedy: str) -> None:
    other = (found.is_null() & text.is_not_null()).arg_true()
    if len(other):
        raise OtherType(other[0], f"the column held {kind}, which {text[other[0]]!r} is not", remedy)


def _decimal(text: pl.Series, precision: str, scale: str) -> pl.Series:
    fits = text.str.contains(rf"^[+-]?[0-9]+(?:\.[0-9]{{0,{scale}}})?$")
    return text.set(~fits, None).cast(pl.Decimal(int(precision), int(scale)), strict=False)


def _datetime(text: pl.Series, unit: str, zone: str | None) -> pl.Series:
    dtype = pl.Datetime(unit, zone)  # type: ignore[arg-type]  # the pattern has the three units
    joined = text.str.replace(" ", "T", literal=True)
    form = "%Y-%m-%dT%H:%M:%S%.f" + ("%#z" if zone else "")
    read = joined.str.to_datetime(form, time_unit=unit, strict=False)  # type: ignore[arg-type]
    return _or_stored(text, read.dt.convert_time_zone(zone) if zone else read, dtype)


def _or_stored(text: pl.Series, read: pl.Series, dtype: pl.DataType) -> pl.Series:
    stored = text.set(~text.str.contains(r"^-?[0-9]+$"), None).cast(pl.Int64, strict=False)
    small = stored.cast(pl.Int32, strict=False) if dtype == pl.Date else stored
    return read.zip_with(read.is_not_null(), small.cast(dtype))


_Reader = Callable[..., pl.Series]
_READERS: Final[tuple[tuple[str, _Reader, str], ...]] = (
    (r"Decimal\((\d+), (\d+)\)", _decimal, "Write a number with a point and as many decimals at most."),
    (
        r"Datetime\((ms|us|ns)(?:, (.+))?\)",
        _datetime,
        "Write it as the others, such as 2024-01-31 23:59:59, with +00:00 where they have one.",
    ),
    (
        "Date",
        lambda text: _or_stored(text, text.str.to_date("%Y-%m-%d", strict=False), pl.Date()),
        "Write a day such as 2024-01-31.",
    ),
    ("Time", lambda text: text.str.to_time("%H:%M:%S%.f", strict=False), "Write a time of day such as 23:59:59."),
    (
        r"Duration\((ms|us|ns)\)",
        lambda text, unit: text.cast(pl.Int64, strict=False).cast(pl.Duration(unit)),
        "Write a whole number of this unit.",
    ),
    ("Binary", lambda text: text.str.decode("hex", strict=False), "Write hexadecimal digits."),
)
