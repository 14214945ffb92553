"""Turns the truth columns of a file into labels: what is told of each payment, and when somebody knows it."""

from __future__ import annotations

import polars as pl

from assay.app.oracle.live_columns import EXACT_DOUBLE, as_text, instant
from assay.app.oracle.mapping import Truth
from assay.app.oracle.reading import refuse_row
from assay.contracts.reasons import Reason


def label_columns(frame: pl.DataFrame, truth: Truth, ts_us: pl.Series, now_us: int) -> pl.DataFrame:
    """truth.label (1, 0, null: nobody knows), truth.observed_ts_us, truth.<further column>; without a label the others are null too.

    Raises Quarantine: INPUT_COLUMN_TYPE, LABEL_NOT_AFTER_PAYMENT, TIME_IN_FUTURE, INPUT_VALUE_MISSING, and what `instant` raises.
    """
    told = _told(frame, truth.column)
    positive = sorted({spelling for value in truth.positive for spelling in _spellings(value)})
    label = pl.select(pl.when(told.is_not_null() & (told != "")).then(told.is_in(positive).cast(pl.Int8))).to_series()
    observed = instant(frame, truth.time, required=False) if truth.time else pl.Series([None], dtype=pl.Int64).new_from_index(0, len(frame))
    if truth.time:
        _refuse_mistimed(frame, truth.time.column, label, observed, ts_us, now_us)
    others = [as_text(frame, column).alias(f"truth.{column}") for column in truth.also]
    labels = pl.DataFrame([label.alias("truth.label"), observed.alias("truth.observed_ts_us"), *others])
    return labels.select(pl.when(pl.col("truth.label").is_not_null()).then(pl.all()))


def _told(frame: pl.DataFrame, column: str) -> pl.Series:
    """The truth column with one spelling per value: a flag reads alike as 1, 1.0, true and True, whoever wrote the file."""
    series = frame[column]
    text = as_text(frame, column)
    if series.dtype.is_float():
        whole = (series == series.round()) & (series.abs() < EXACT_DOUBLE)
        numbers = pl.select(pl.when(whole).then(series)).to_series().cast(pl.Int64).cast(pl.String)
        text = pl.select(pl.when(series.is_not_nan()).then(pl.coalesce(numbers, text))).to_series()
    return _one_spelling(text)


def _one_spelling(text: pl.Series) -> pl.Series:
    whole = text.str.replace(r"^(-?[0-9]+)\.0+$", "$1")
    lower = text.str.to_lowercase()
    return pl.select(pl.when(lower.is_in(["true", "false"])).then(lower).otherwise(whole)).to_series()


def _spellings(value: object) -> set[str]:
    """How a positive value may stand in a column: true is also written 1, and 1 true."""
    if isinstance(value, bool):
        return {"true", "1"} if value else {"false", "0"}
    if isinstance(value, int):
        return {0: {"0", "false"}, 1: {"1", "true"}}.get(value, {str(value)})
    return set(_one_spelling(pl.Series([str(value)])))


def _refuse_mistimed(frame: pl.DataFrame, column: str, label: pl.Series, observed: pl.Series, ts_us: pl.Series, now_us: int) -> None:
    untimed = label.is_not_null() & observed.is_null()
    refuse_row(frame, untimed, Reason.INPUT_VALUE_MISSING, column, "a label without its time", "Give every label the time it was made.")
    early = (label.is_not_null() & (observed <= ts_us)).fill_null(False)
    remedy = "A label is made after its payment; check the time columns and their zones."
    refuse_row(frame, early, Reason.LABEL_NOT_AFTER_PAYMENT, column, "a label that is not later than its payment", remedy)
    future = (label.is_not_null() & (observed > now_us)).fill_null(False)
    refuse_row(frame, future, Reason.TIME_IN_FUTURE, column, "a label from the future", "Nobody can know it yet; check the time column.")
