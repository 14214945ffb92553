"""Values of a column with one spelling each, whoever wrote the file, and the refusal of a value that no row has."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from assay.app.oracle.refusing import values_of
from assay.app.oracle.text_columns import as_text
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: a value of a mapping as YAML reads it
MappedValue = str | int | bool
#: flags in small letters; YAML reads all but the digits as true and false, too
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
#: values that a refusal shows
_SHOWN = 8


def told(frame: pl.DataFrame, column: str) -> pl.Series:
    """A column's values as text; null for none, which NaN says, too."""
    series = values_of(frame, column)
    text = as_text(frame, column)
    if series.dtype.is_float():
        whole = (series == series.round()) & series.is_finite()
        numbers = pl.select(pl.when(whole).then(series)).to_series().cast(pl.Int64).cast(pl.String)
        text = pl.select(pl.when(series.is_not_nan()).then(pl.coalesce(numbers, text))).to_series().alias("values")
    return text.set(text.is_in(["NaN", "nan"]), None)


def one_spelling(text: pl.Series) -> pl.Series:
    """Small letters; `true` and `false` for every flag; whole numbers without sign, leading zeros and point, where these say nothing."""
    lower = text.str.to_lowercase()
    whole = lower.str.replace(r"^\+?(-?)0*([0-9]+)(\.0*)?$", "${1}${2}").str.replace("^-0$", "0")
    flagged = pl.when(whole.is_in(_TRUE)).then(pl.lit("true")).when(whole.is_in(_FALSE)).then(pl.lit("false")).otherwise(whole)
    return pl.select(flagged).to_series()


def meanings(values: Sequence[MappedValue]) -> list[str]:
    """Values of a mapping in the spelling of `one_spelling`."""
    return one_spelling(pl.Series([str(value) for value in values], dtype=pl.String)).to_list()


def refuse_unmet(text: pl.Series, column: str, field: str, values: Sequence[MappedValue], remedy: str) -> None:
    """Raise INPUT_VALUE_INVALID for values of a mapping's field that no row has, with those that the column has, the most frequent first.

    Nothing is said of a column without values, and of one that only has flags where the field has flags: it holds no third value
    that could be meant.
    """
    flags = {"true", "false"}
    wanted, present = meanings(values), set(one_spelling(text.drop_nulls().unique()).to_list())
    unmet = [value for value, meaning in zip(values, wanted, strict=True) if meaning not in present]
    if not unmet or not present or (present <= flags and set(wanted) <= flags):
        return
    counts = text.drop_nulls().alias("values").value_counts()
    found = counts.sort("count", "values", descending=[True, False])["values"].to_list()
    shown = ", ".join(map(repr, found[:_SHOWN])) + (f", and {len(found) - _SHOWN} others" if len(found) > _SHOWN else "")
    what = f"no row has the value {', '.join(map(repr, unmet))} of {field}; the column has {shown}"
    raise Quarantine(Reason.INPUT_VALUE_INVALID, what, where=f"column '{column}'", remedy=remedy)
