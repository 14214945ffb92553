"""Turns the truth columns of a file into labels: what is told of each payment, and when somebody knows it."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from assay.app.oracle.mapping_truth import Truth, TruthValue
from assay.app.oracle.refusing import refuse_row, values_of
from assay.app.oracle.text_columns import EXACT_DOUBLE, as_text, refuse_look_alikes
from assay.app.oracle.time_columns import instant
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: how writers spell a flag, in small letters; YAML reads all but the digits as true and false, too
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
#: values that a refusal shows
_SHOWN = 8


def label_columns(frame: pl.DataFrame, truth: Truth, ts_us: pl.Series, now_us: int) -> pl.DataFrame:
    """truth.label (1, 0, null: nobody knows), truth.observed_ts_us, truth.<further column>; without a label the others are null too.

    Raises Quarantine: INPUT_COLUMN_TYPE, LABEL_NOT_AFTER_PAYMENT, TIME_IN_FUTURE, INPUT_VALUE_MISSING, INPUT_VALUE_INVALID for a
    `positive` that no row has and for a value of neither list, and what `instant` raises.
    """
    told = _told(frame, truth)
    _refuse_unmet(frame, truth, told)
    label = pl.select(pl.when(told.is_not_null()).then(told.is_in(_meanings(truth.positive)).cast(pl.Int8))).to_series()
    observed = instant(frame, truth.time, required=False) if truth.time else pl.Series([None], dtype=pl.Int64).new_from_index(0, len(frame))
    if truth.time:
        _refuse_mistimed(frame, truth.time.column, label, observed, ts_us, now_us)
    others = [as_text(frame, column).alias(f"truth.{column}") for column in truth.also]
    labels = pl.DataFrame([label.alias("truth.label"), observed.alias("truth.observed_ts_us"), *others])
    return labels.select(pl.when(pl.col("truth.label").is_not_null()).then(pl.all()))


def _told(frame: pl.DataFrame, truth: Truth) -> pl.Series:
    """The truth column with one spelling per value, whoever wrote the file; null where nobody knows, which NaN says, too."""
    series = values_of(frame, truth.column)
    text = as_text(frame, truth.column)
    if series.dtype.is_float():
        whole = (series == series.round()) & (series.abs() < EXACT_DOUBLE)
        numbers = pl.select(pl.when(whole).then(series)).to_series().cast(pl.Int64).cast(pl.String)
        text = pl.select(pl.when(series.is_not_nan()).then(pl.coalesce(numbers, text))).to_series().alias("values")
    text = text.set(text.is_in(["", "NaN", "nan"]), None)
    refuse_look_alikes(frame, text, truth.column, values=[*map(str, truth.positive), *map(str, truth.negative or ())])
    return _one_spelling(text)


def _one_spelling(text: pl.Series) -> pl.Series:
    """Small letters; `true` and `false` for every flag; whole numbers without sign, leading zeros and point, where these say nothing."""
    lower = text.str.to_lowercase()
    whole = lower.str.replace(r"^\+?(-?)0*([0-9]+)(\.0*)?$", "${1}${2}").str.replace("^-0$", "0")
    return pl.select(
        pl.when(whole.is_in(_TRUE)).then(pl.lit("true")).when(whole.is_in(_FALSE)).then(pl.lit("false")).otherwise(whole)
    ).to_series()


def _meanings(values: Sequence[TruthValue]) -> list[str]:
    """Values of a mapping as they stand in `_told`."""
    return _one_spelling(pl.Series([str(value) for value in values], dtype=pl.String)).to_list()


def _refuse_unmet(frame: pl.DataFrame, truth: Truth, told: pl.Series) -> None:
    """Every value has to be known: a misspelled `positive` would make each fraud legitimate."""
    place, known = f"column '{truth.column}'", told.drop_nulls()
    if truth.negative is not None:
        both = [*_meanings(truth.positive), *_meanings(truth.negative)]
        remedy = "Add the value to truth.positive or truth.negative; csv.nulls lists words that mean that nobody knows."
        foreign = ~told.is_in(both).fill_null(True)
        what = "a value that is neither in truth.positive nor in truth.negative"
        refuse_row(frame, foreign, Reason.INPUT_VALUE_INVALID, truth.column, what, remedy)
        return
    present = set(known.unique().to_list())
    unmet = [value for value, meaning in zip(truth.positive, _meanings(truth.positive), strict=True) if meaning not in present]
    flags = {"true", "false"}  # a column of these has no third value that a positive one could be meant to be
    if not unmet or not present or (present <= flags and set(_meanings(truth.positive)) <= flags):
        return
    counts = as_text(frame, truth.column).filter(told.is_not_null()).value_counts()
    found = counts.sort("count", "values", descending=[True, False])["values"].to_list()
    shown = ", ".join(map(repr, found[:_SHOWN])) + (f", and {len(found) - _SHOWN} others" if len(found) > _SHOWN else "")
    raise Quarantine(
        Reason.INPUT_VALUE_INVALID,
        f"no row has the value {', '.join(map(repr, unmet))} of truth.positive; the column has {shown}",
        where=place,
        remedy="Correct truth.positive; if the file has none of them, list the other values in truth.negative.",
    )


def _refuse_mistimed(frame: pl.DataFrame, column: str, label: pl.Series, observed: pl.Series, ts_us: pl.Series, now_us: int) -> None:
    untimed = label.is_not_null() & observed.is_null()
    refuse_row(frame, untimed, Reason.INPUT_VALUE_MISSING, column, "a label without its time", "Give every label the time it was made.")
    early = (label.is_not_null() & (observed <= ts_us)).fill_null(False)
    remedy = "A label is made after its payment; check the time columns and their zones."
    refuse_row(frame, early, Reason.LABEL_NOT_AFTER_PAYMENT, column, "a label that is not later than its payment", remedy)
    future = (label.is_not_null() & (observed > now_us)).fill_null(False)
    refuse_row(frame, future, Reason.TIME_IN_FUTURE, column, "a label from the future", "Nobody can know it yet; check the time column.")
