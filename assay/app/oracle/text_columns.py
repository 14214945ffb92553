"""Text of a payment from columns: ids, kinds, attributes. What the gate would refuse, and what only looks like a value, is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from assay.app.oracle.mapping_parts import Column, IdColumns, Value
from assay.app.oracle.refusing import ROW, refuse_nested, refuse_row, refuse_type, values_of
from assay.contracts.limits import ID_CHARS_MAX, LABEL_CHARS_MAX
from assay.contracts.reasons import Reason

#: a float holds whole numbers exactly below this
FLOAT_EXACT: Final[Mapping[type[pl.DataType], int]] = {pl.Float16: 2**11, pl.Float32: 2**24, pl.Float64: 2**53}
#: how writers spell that nothing is known, in small letters
NULL_WORDS = ("null", "(null)", "na", "n/a", "#n/a", "<na>", "nan", "nat", "none", "nil", r"\n", "-", "--")
_LONGEST_NULL_WORD = max(map(len, NULL_WORDS))
_NULL_REMEDY = "Declare csv.nulls in the mapping: the words that mean nothing is known, as in [NULL]; [] where all words are values."
#: a long number as spreadsheets show and export it
SHORTENED: Final = r"^[0-9][.,][0-9]+[Ee]\+[0-9]+$"
_BLANK_REMEDY = "Declare csv.trim: true in the mapping, or take the blanks out of the file."


def identifier(frame: pl.DataFrame, column: str, *, required: bool, nulls_declared: bool = False) -> pl.Series:
    """Ids as text; whole floats (nullable integers of some writers) lose their point, and NaN is null. Raises INPUT_COLUMN_TYPE."""
    series = values_of(frame, column)
    if series.dtype.is_float():
        series = series.fill_nan(None)
        refuse_inexact(frame, series, column)
        broken = ((series != series.round()) | series.is_infinite()).fill_null(False)
        refuse_row(frame, broken, Reason.INPUT_VALUE_INVALID, column, "an id that is not whole", "Write ids as integers or text.")
        frame = frame.with_columns(series.cast(pl.Int64).alias(column))
    elif series.dtype.is_nested():
        refuse_nested(column, series.dtype)
    elif not (series.dtype.is_integer() or series.dtype == pl.String):
        refuse_type(column, series.dtype, "ids as integers or text")
    elif series.dtype == pl.String:
        _refuse_shortened(frame, series, column)
    return named(frame, column, ID_CHARS_MAX, required=required, nulls_declared=nulls_declared)


def _refuse_shortened(frame: pl.DataFrame, series: pl.Series, column: str) -> None:
    """Raise INPUT_VALUE_INVALID for 4.11E+15: many ids have these first digits."""
    what = "an id without its last digits, as a spreadsheet writes long numbers"
    remedy = "Export the column from its source as text; saved from a spreadsheet, all ids with these first digits are one."
    refuse_row(frame, series.str.contains(SHORTENED).fill_null(False), Reason.INPUT_VALUE_INVALID, column, what, remedy)


def primary_key(frame: pl.DataFrame, id: Column | IdColumns, *, nulls_declared: bool) -> pl.Series:  # noqa: A002  # its name in a mapping
    """The id of each row: one column, several written as `a|b`, or the row's number. Every part has to be there."""
    if isinstance(id, str):
        return identifier(frame, id, required=True, nulls_declared=nulls_declared)
    if id.columns is None:
        return frame[ROW].cast(pl.String)
    parts = [as_written(frame, column, nulls_declared=nulls_declared) for column in id.columns]
    whole = pl.select(pl.concat_str([part.str.replace_all(r"([\\|])", r"\$1") for part in parts], separator="|")).to_series()
    name = ", ".join(id.columns)
    return text(frame.with_columns(whole.alias(name)), name, ID_CHARS_MAX, required=True)


def as_written(frame: pl.DataFrame, column: str, *, nulls_declared: bool) -> pl.Series:
    """A part of an id: an id, or any other plain value as it is written."""
    series = values_of(frame, column)
    if series.dtype.is_float() or series.dtype.is_integer() or series.dtype == pl.String:
        return identifier(frame, column, required=True, nulls_declared=nulls_declared)
    return text(frame, column, ID_CHARS_MAX, required=True)


def joined(frame: pl.DataFrame, columns: Sequence[str], name: str) -> pl.DataFrame:
    """The frame with several columns as one text under this name, their values separated by blanks; null where one is null."""
    if len(columns) == 1:
        return frame
    return frame.with_columns(
        pl.select(pl.concat_str([as_text(frame, column) for column in columns], separator=" ")).to_series().alias(name)
    )


def constant_or_column(frame: pl.DataFrame, spec: Value, *, nulls_declared: bool = False) -> pl.Series:
    """A text for every row."""
    if spec.column is None:
        return pl.Series([spec.constant]).new_from_index(0, len(frame))
    return named(frame, spec.column, LABEL_CHARS_MAX, required=True, nulls_declared=nulls_declared)


def named(frame: pl.DataFrame, column: str, chars_max: int, *, required: bool, nulls_declared: bool) -> pl.Series:
    """Text that names something: no blanks around it, and no word that only says that nothing is known."""
    series = text(frame, column, chars_max, required=required)
    if nulls_declared:  # all words that are not declared are values
        refuse_blanks(frame, series, column)
    else:
        refuse_look_alikes(frame, series, column)
    return series


def text(frame: pl.DataFrame, column: str, chars_max: int, *, required: bool) -> pl.Series:
    """A column as text of 1 to `chars_max` characters, none of them a control character."""
    series = as_text(frame, column)
    long = (series.str.len_chars() > chars_max).fill_null(False)
    refuse_row(frame, long, Reason.INPUT_VALUE_INVALID, column, f"longer than {chars_max} characters", "Shorten it before the import.")
    control = series.str.contains(r"\p{Cc}").fill_null(False)
    remedy = "The gate refuses line breaks, tabs, NUL and other control characters; take them out of the file."
    refuse_row(frame, control, Reason.INPUT_VALUE_INVALID, column, "a control character", remedy)
    if required:
        refuse_null(frame, series, column)
    return series


def refuse_look_alikes(frame: pl.DataFrame, series: pl.Series, column: str, values: Sequence[str] = ()) -> None:
    """Raise INPUT_VALUE_INVALID for blanks around a text, and for a word of NULL_WORDS that is not one of the known `values`."""
    refuse_blanks(frame, series, column)
    if not (series.str.len_bytes() <= _LONGEST_NULL_WORD).any():
        return
    lower = series.str.to_lowercase()
    word = (lower.is_in(NULL_WORDS) & ~lower.is_in([value.lower() for value in values])).fill_null(False)
    refuse_row(frame, word, Reason.INPUT_VALUE_INVALID, column, "a word that may mean that nothing is known", _NULL_REMEDY)


def refuse_blanks(frame: pl.DataFrame, series: pl.Series, column: str) -> None:
    """Raise INPUT_VALUE_INVALID for blanks around a text: `C1 ` would be another than `C1`."""
    blanks = (series != series.str.strip_chars()).fill_null(False)
    refuse_row(frame, blanks, Reason.INPUT_VALUE_INVALID, column, "blanks around a value", _BLANK_REMEDY)


def as_text(frame: pl.DataFrame, column: str) -> pl.Series:
    """A column's values written out. Raises INPUT_COLUMN_TYPE for lists, objects, bytes and durations, which have no text."""
    series = values_of(frame, column)
    if series.dtype.is_nested():
        refuse_nested(column, series.dtype)
    if series.dtype in (pl.Binary, pl.Object, pl.Duration):
        refuse_type(column, series.dtype, "plain values: text, numbers, booleans or times")
    refuse_inexact(frame, series, column)
    return series.dt.to_string("%H:%M:%S%.f") if series.dtype == pl.Time else series.cast(pl.String)


def refuse_inexact(frame: pl.DataFrame, series: pl.Series, column: str) -> None:
    """Raise INPUT_VALUE_INVALID for a float so large that its type makes one value of several whole numbers."""
    if series.dtype.is_float():
        large = (series.is_finite() & (series.abs() >= FLOAT_EXACT[type(series.dtype)])).fill_null(False)
        what = f"a number that {series.dtype} does not hold exactly"
        refuse_row(frame, large, Reason.INPUT_VALUE_INVALID, column, what, "Write the column as integers or text.")


def refuse_null(frame: pl.DataFrame, series: pl.Series, column: str) -> None:
    """Raise INPUT_VALUE_MISSING."""
    refuse_row(frame, series.is_null(), Reason.INPUT_VALUE_MISSING, column, "a value is missing", "Every row needs this value.")
