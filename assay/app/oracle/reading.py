"""Reads somebody's Parquet or CSV file into a frame of the mapped columns, rows numbered as a person would count them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import polars as pl

from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: 1 is the first row of data; a CSV's header is not counted
ROW = "\0row"
#: what a damaged file ends in; some Parquet bytes make the reader panic, which is no Exception
_READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


def read_input(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """The named columns and their row numbers.

    Every column of a CSV is text (the mapping says what it means), so an id such as `007` keeps its zeros.
    Raises Quarantine: INPUT_FILE_MISSING, INPUT_FILE_UNREADABLE, INPUT_COLUMN_MISSING, INPUT_EMPTY.
    """
    if not path.is_file():
        raise Quarantine(Reason.INPUT_FILE_MISSING, "the input file does not exist", where=str(path), remedy="Check the path.")
    scan = _scan(path)
    present = _columns_of(scan, path)
    _refuse_repeated(path, columns)
    for column in columns:
        if column not in present:
            raise Quarantine(
                Reason.INPUT_COLUMN_MISSING,
                f"the mapping names the column '{column}', the file has {', '.join(present)}",
                where=str(path),
                remedy="Correct the mapping or choose the one made for this file.",
            )
    frame = _collect(scan.select(list(dict.fromkeys(columns))), path).with_row_index(ROW, offset=1)
    if frame.is_empty():
        raise Quarantine(Reason.INPUT_EMPTY, "the input file holds no rows", where=str(path), remedy="Give a file with rows.")
    return frame


def refuse_row(frame: pl.DataFrame, bad: pl.Series, reason: Reason, column: str, what: str, remedy: str) -> None:
    """Raise Quarantine naming the first row where `bad` holds, its value and how many rows share the fault."""
    count = int(bad.sum())
    if not count:
        return
    first = frame.filter(bad).row(0, named=True)
    others = f" (and {count - 1} more rows)" if count > 1 else ""
    raise Quarantine(reason, f"{what}: {first.get(column)!r}{others}", where=f"column '{column}', row {first[ROW]}", remedy=remedy)


def refuse_type(column: str, dtype: pl.DataType, expected: str) -> NoReturn:
    """Raise Quarantine(INPUT_COLUMN_TYPE)."""
    raise Quarantine(
        Reason.INPUT_COLUMN_TYPE,
        f"the column holds {dtype}, expected {expected}",
        where=f"column '{column}'",
        remedy="Name another column in the mapping, or convert this one before the import.",
    )


def _scan(path: Path) -> pl.LazyFrame:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return pl.scan_parquet(path)
    if suffix == ".csv":
        return pl.scan_csv(path, infer_schema=False)
    raise Quarantine(
        Reason.INPUT_FILE_UNREADABLE,
        f"'{path.suffix}' is not a known kind of file",
        where=str(path),
        remedy="Give a .parquet or .csv file.",
    )


def _columns_of(scan: pl.LazyFrame, path: Path) -> list[str]:
    try:
        return scan.collect_schema().names()
    except pl.exceptions.NoDataError:
        raise Quarantine(Reason.INPUT_EMPTY, "the input file is empty", where=str(path), remedy="Give a file with rows.") from None
    except _READ_ERRORS as error:
        raise _unreadable(path, error) from None


def _refuse_repeated(path: Path, columns: Sequence[str]) -> None:
    """A CSV's header may name a column twice (Parquet cannot); which of them is meant is not ours to guess."""
    if path.suffix.lower() != ".csv":
        return
    first = _collect(pl.scan_csv(path, has_header=False, infer_schema=False, n_rows=1, truncate_ragged_lines=True), path)
    if first.is_empty():
        raise _unreadable(path, ValueError("a quotation mark in its header is never closed"))
    header = first.row(0)
    for column in columns:
        if header.count(column) > 1:
            raise Quarantine(
                Reason.INPUT_FILE_UNREADABLE,
                f"the header names the column '{column}' {header.count(column)} times",
                where=str(path),
                remedy="Give every column that the mapping names a name of its own.",
            )


def _collect(scan: pl.LazyFrame, path: Path) -> pl.DataFrame:
    try:
        return scan.collect()
    except _READ_ERRORS as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: BaseException) -> Quarantine:
    cause = str(error).splitlines()[0] if str(error) else type(error).__name__
    return Quarantine(
        Reason.INPUT_FILE_UNREADABLE, f"the file cannot be read: {cause}", where=str(path), remedy="Write the file again, it is damaged."
    )
