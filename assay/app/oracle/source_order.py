"""The order of a file: it decides between payments of one time. Files of days or hours consist of little else."""

from __future__ import annotations

import polars as pl

from assay.app.oracle.refusing import ROW, refuse_row, refuse_type
from assay.contracts.reasons import Reason


def source_order(frame: pl.DataFrame, column: str | None, ts_us: pl.Series) -> pl.Series:
    """Int64 from 1: the place of each payment among those of its time, by the numbers of a column, then by the file's own order.

    So more rows at the end of a file change nothing between the rows before them, and rows of different times may stand anywhere.
    Raises Quarantine: INPUT_COLUMN_TYPE, INPUT_VALUE_MISSING, INPUT_VALUE_INVALID.
    """
    by = frame[ROW] if column is None else order_numbers(frame, column)
    places = pl.DataFrame({"by": by, "ts_us": ts_us}).select(pl.col("by").rank("ordinal").over("ts_us"))
    return places["by"].cast(pl.Int64).alias("source_order")


def order_numbers(frame: pl.DataFrame, column: str) -> pl.Series:
    """The whole numbers of a column. Raises as `source_order`."""
    series = frame[column]
    if not (series.dtype.is_integer() or series.dtype == pl.String):
        refuse_type(column, series.dtype, "whole numbers that order the payments")
    remedy = "Give every payment a whole number, or leave 'order' out: then the file's own order counts."
    refuse_row(frame, series.is_null(), Reason.INPUT_VALUE_MISSING, column, "no place in the order", remedy)
    numbers = series.cast(pl.Int64, strict=False)
    refuse_row(frame, numbers.is_null(), Reason.INPUT_VALUE_INVALID, column, "not a whole number", remedy)
    return numbers
