"""One type for a column that files store in several, without a change of any value."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl
import polars.selectors as cs

from assay.app.oracle.refusing import unreadable
from assay.app.oracle.text_columns import FLOAT_EXACT
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: milliseconds that are a number of microseconds, too
_MS_END = 2**63 // 1000


def plain_types(frame: pl.DataFrame) -> pl.DataFrame:
    """Categories, bytes of UTF-8 and columns without any value are text."""
    frame = frame.with_columns((cs.categorical() | cs.enum()).cast(pl.String), cs.by_dtype(pl.Null).cast(pl.String))
    for series in frame.select(cs.binary()).iter_columns():
        with suppress(pl.exceptions.ComputeError):  # other bytes stay bytes
            frame = frame.with_columns(series.cast(pl.String))
    return frame


def of_one_type(places: Sequence[Path], frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of files with the same columns, one file after the other.

    Integers, floats that are whole, and text become one column; so do decimals and integers, and times of several units.
    Raises Quarantine: INPUT_COLUMN_TYPE, with the file, for other types that are not the same in all files; INPUT_FILE_UNREADABLE for
    a time that microseconds cannot hold.
    """
    plain = [plain_types(frame) for frame in frames]
    return pl.DataFrame([_joined(places, [frame[column] for frame in plain]) for column in frames[0].columns])


def _joined(places: Sequence[Path], parts: Sequence[pl.Series]) -> pl.Series:
    if len(_types(parts)) > 1:
        parts = [_exact(place, part) for place, part in zip(places, parts, strict=True)]
    found = _types(parts)
    target = next(iter(found.values()), parts[0].dtype) if len(found) < 2 else _shared(parts)
    if target is None:
        first, *others = found.items()
        number, dtype = others[0]
        what = f"the column holds {dtype}, and {first[1]} in {places[first[0]].name}"
        remedy = "Write the column with one type in all files of the folder."
        raise Quarantine(Reason.INPUT_COLUMN_TYPE, what, where=f"{places[number]}, column '{parts[0].name}'", remedy=remedy)
    return pl.concat([part.cast(target) for part in parts])


def _types(parts: Sequence[pl.Series]) -> dict[int, pl.DataType]:
    """The types of columns that hold a value, each with its first file."""
    found: dict[int, pl.DataType] = {}
    for number, part in enumerate(parts):
        if part.null_count() < len(part) and part.dtype not in found.values():
            found[number] = part.dtype
    return found


def _exact(place: Path, part: pl.Series) -> pl.Series:
    """Floats that are whole as integers, times in microseconds."""
    if part.dtype.is_float():
        double = part.cast(pl.Float64).fill_nan(None)
        whole = ((double == double.floor()) & (double.abs() < FLOAT_EXACT[type(part.dtype)])).fill_null(True)
        return double.cast(pl.Int64) if whole.all() else part
    if isinstance(part.dtype, pl.Datetime):
        if part.dtype.time_unit == "ms" and not part.to_physical().is_between(-_MS_END, _MS_END).all():
            raise unreadable(place, f"column '{part.name}' holds a time outside of all years", "Correct this time, or its unit.")
        return part.dt.cast_time_unit("us")
    return part


def _shared(parts: Sequence[pl.Series]) -> pl.DataType | None:
    """A type that holds every value of these columns; None where there is none."""
    types = [part.dtype for part in parts if part.null_count() < len(part)]
    others = [dtype for dtype in types if not dtype.is_integer()]
    if not others:
        return pl.Int128()
    if all(dtype == pl.String for dtype in others):
        return pl.String()
    if all(dtype.is_decimal() for dtype in others):
        return pl.Decimal(38, max(dtype.scale for dtype in others if isinstance(dtype, pl.Decimal)))
    small = all((part.abs() < FLOAT_EXACT[pl.Float64]).fill_null(True).all() for part in parts if part.dtype.is_integer())
    return pl.Float64() if small and all(dtype == pl.Float64 for dtype in others) else None
