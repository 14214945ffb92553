"""Turns the truth columns of a file into labels: what is told of each payment, and when somebody knows it."""

from __future__ import annotations

import polars as pl

from assay.app.oracle.mapping_truth import Truth
from assay.app.oracle.refusing import refuse_row
from assay.app.oracle.spellings import meanings, one_spelling, refuse_unmet, told
from assay.app.oracle.text_columns import as_text, joined, refuse_look_alikes
from assay.app.oracle.time_columns import instant
from assay.contracts.reasons import Reason


def label_columns(frame: pl.DataFrame, truth: Truth, ts_us: pl.Series, now_us: int) -> pl.DataFrame:
    """truth.label (1, 0, null: nobody knows), truth.observed_ts_us, truth.<further column>; without a label the others are null too.

    Raises Quarantine: INPUT_COLUMN_TYPE, LABEL_NOT_AFTER_PAYMENT, TIME_IN_FUTURE, INPUT_VALUE_MISSING, INPUT_VALUE_INVALID for a
    `positive` that no row has and for a value of neither list, and what `instant` raises.
    """
    label = _labels(frame, truth)
    observed = instant(frame, truth.time, required=False) if truth.time else pl.Series([None], dtype=pl.Int64).new_from_index(0, len(frame))
    if truth.time:
        timed = label == 1 if truth.emit == "positive" else label.is_not_null()
        _refuse_untimed(joined(frame, truth.time.names, truth.time.name), truth.time.name, timed.fill_null(False) & observed.is_null())
        _refuse_mistimed(joined(frame, truth.time.names, truth.time.name), truth.time.name, label, observed, ts_us, now_us)
    others = [as_text(frame, column).alias(f"truth.{column}") for column in truth.also]
    labels = pl.DataFrame([label.alias("truth.label"), observed.alias("truth.observed_ts_us"), *others])
    return labels.select(pl.when(pl.col("truth.label").is_not_null()).then(pl.all()))


def _labels(frame: pl.DataFrame, truth: Truth) -> pl.Series:
    """1 for fraud, 0 for none, null where nobody knows. Every value has to be known."""
    text = told(frame, truth.column)
    refuse_look_alikes(frame, text, truth.column, values=[*map(str, truth.listed)])
    if isinstance(truth.positive, str):
        return text.is_not_null().cast(pl.Int8)
    values = one_spelling(text)
    if truth.negative is None:
        remedy = "Correct truth.positive; if the file has none of them, list the other values in truth.negative."
        refuse_unmet(text, truth.column, "truth.positive", truth.positive, remedy)
    else:
        foreign = ~values.is_in(meanings([*truth.positive, *truth.negative])).fill_null(True)
        what = "a value that is neither in truth.positive nor in truth.negative"
        remedy = "Add the value to truth.positive or truth.negative; csv.nulls lists words that mean that nobody knows."
        refuse_row(frame, foreign, Reason.INPUT_VALUE_INVALID, truth.column, what, remedy)
    return pl.select(pl.when(values.is_not_null()).then(values.is_in(meanings(truth.positive)).cast(pl.Int8))).to_series()


def _refuse_untimed(frame: pl.DataFrame, column: str, untimed: pl.Series) -> None:
    """Labels that are told need their time; under `emit: positive` these are the frauds."""
    remedy = "Give it the time at which it was known. Labels that are not told (see truth.emit) need none."
    refuse_row(frame, untimed, Reason.INPUT_VALUE_MISSING, column, "a label without its time", remedy)


def _refuse_mistimed(frame: pl.DataFrame, column: str, label: pl.Series, observed: pl.Series, ts_us: pl.Series, now_us: int) -> None:
    early = (label.is_not_null() & (observed <= ts_us)).fill_null(False)
    remedy = "A label is made after its payment; check the time columns and their zones."
    refuse_row(frame, early, Reason.LABEL_NOT_AFTER_PAYMENT, column, "a label that is not later than its payment", remedy)
    future = (label.is_not_null() & (observed > now_us)).fill_null(False)
    refuse_row(frame, future, Reason.TIME_IN_FUTURE, column, "a label from the future", "Nobody can know it yet; check the time column.")
