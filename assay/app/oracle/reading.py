"""Reads somebody's file into a frame of the mapped columns, rows numbered as a person would count them.

Files are CSV, Parquet, JSON lines (text also packed by gzip or zstd), or a folder of Parquet files with partitions of Hive
(`day=2024-01-01/`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import polars as pl
import polars.selectors as cs

from assay.app.oracle.aside_reading import json_lines
from assay.app.oracle.column_types import plain_types
from assay.app.oracle.csv_reading import CsvFile
from assay.app.oracle.mapping import Mapping
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.refusing import FILE, FILE_ROW, NESTED_REMEDY, ROW, unreadable
from assay.app.oracle.table_files import ParquetFile, ParquetFolder
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason
from assay.contracts.truth_names import plain_name

#: what a damaged file ends in; some Parquet bytes make the reader panic, which is no Exception
READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


class InputFile(Protocol):
    """A file of rows."""

    columns: list[str]

    def frame(self, columns: Sequence[str]) -> pl.DataFrame:
        """The rows of these columns, which the file has."""

    def whole(self) -> pl.DataFrame:
        """All columns, each under a name of its own, also those that `frame` would refuse."""

    def hint(self) -> str:
        """What may be wrong when a column is not there, as the end of a sentence."""


#: a name that only a row has as its value
_NUMBER = re.compile(r"[+-]?[0-9]*\.[0-9]+|0|1")
_PACKED = (".gz", ".zst")
_KINDS: dict[str, Callable[[Path, CsvForm], InputFile]] = {
    ".parquet": ParquetFile,
    ".csv": CsvFile,
    ".tsv": CsvFile,
    ".jsonl": json_lines,
    ".ndjson": json_lines,
}


def read_input(path: Path, columns: Sequence[str], form: CsvForm) -> pl.DataFrame:
    """The named columns and their row numbers (ROW); in a folder also the file of a row (FILE).

    Every column of a CSV is text (the mapping says what it means), so an id such as `007` keeps its zeros. In text columns of any kind
    of file, blanks and null words go as `form` declares, and empty text is null.
    Raises Quarantine: INPUT_FILE_MISSING, INPUT_FILE_UNREADABLE, INPUT_COLUMN_MISSING, INPUT_EMPTY.
    """
    return declared(plain_types(_rows(path, list(dict.fromkeys(columns)), form)), form).pipe(_numbered)


def read_whole(path: Path, form: CsvForm) -> pl.DataFrame:
    """All columns as they stand in the file, and their row numbers. Raises as `read_input`."""
    return _numbered(_rows(path, None, form))


def _rows(path: Path, columns: Sequence[str] | None, form: CsvForm) -> pl.DataFrame:
    try:
        file = _open(path, form)
        if columns is not None:
            _refuse_missing(file, path, columns)
        frame = file.whole() if columns is None else file.frame(columns)
    except READ_ERRORS as error:
        raise damaged(path, error) from None
    if frame.is_empty():
        raise Quarantine(Reason.INPUT_EMPTY, "the input file holds no rows", where=str(path), remedy="Give a file with rows.")
    return frame


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """With the number of each row; in a folder also of the row in its file. Rows that were set aside have the numbers that they had."""
    if ROW in frame.columns:
        return frame
    frame = frame.with_row_index(ROW, offset=1)
    return frame.with_columns(pl.int_range(1, pl.len() + 1).over(FILE).alias(FILE_ROW)) if FILE in frame.columns else frame


def over_file(path: Path, mapping: Mapping) -> Mapping:
    """The mapping with the file's columns in place of patterns. Raises as `read_input` and as `Mapping.over`."""
    if len(mapping.attribute_names) == len(mapping.attributes):
        return mapping
    try:
        return mapping.over(_open(path, mapping.form).columns)
    except READ_ERRORS as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: BaseException) -> Quarantine:
    """The refusal of a file that a reader cannot read."""
    cause = str(error).splitlines()[0] if str(error) else type(error).__name__
    return unreadable(path, f"the file cannot be read: {cause}", "Write the file again, it is damaged.")


def kind_of(path: Path) -> str:
    """The ending that says how to read a file, such as `.csv`; nothing for a folder.

    Raises Quarantine: INPUT_FILE_MISSING, INPUT_FILE_UNREADABLE for any other ending.
    """
    if path.is_dir():
        return ""
    if not path.is_file():
        raise Quarantine(Reason.INPUT_FILE_MISSING, "the input file does not exist", where=str(path), remedy="Check the path.")
    suffix = next((suffix.lower() for suffix in reversed(path.suffixes) if suffix.lower() not in _PACKED), "")
    if suffix not in _KINDS:
        what = f"'{path.suffix}' is not a known kind of file"
        raise unreadable(
            path, what, f"Give a file that ends in {', '.join(_KINDS)} (text also with .gz or .zst), or a folder of .parquet files."
        )
    return suffix


def _open(path: Path, form: CsvForm) -> InputFile:
    suffix = kind_of(path)
    return _KINDS[suffix](path, form) if suffix else ParquetFolder(path)


def _refuse_missing(file: InputFile, path: Path, wanted: Sequence[str]) -> None:
    for column in wanted:
        if column not in file.columns:
            hint = file.hint()
            raise Quarantine(
                Reason.INPUT_COLUMN_MISSING,
                f"the mapping names the column '{column}', the file has {', '.join(map(_shown, file.columns))}{hint}",
                where=str(path),
                remedy="Declare csv.separator in the mapping." if hint else _remedy(column, file.columns),
            )


def _shown(name: str) -> str:
    """A column's name; in quotation marks where its ends would not be seen."""
    return f"'{name}'" if name != name.strip() or not name or "," in name else name


def _remedy(column: str, columns: Sequence[str]) -> str:
    blank = next((name for name in columns if name.strip() == column.strip()), None)
    if blank is not None:
        return f"Did you mean '{blank}'? Blanks are part of a name; csv.trim: true takes them away in the header of a CSV, too."
    outer = column.partition(".")[0]
    if outer != column and outer in columns:
        return f"'{outer}' may hold objects: their fields are no columns. {NESTED_REMEDY}"
    if any(_NUMBER.fullmatch(name) for name in columns):
        return "If the first line is a row, declare csv.header: its columns' names in order, or false (column_1, column_2, …)."
    near = difflib.get_close_matches(column, columns, n=1) or [name for name in columns if plain_name(name) == plain_name(column)]
    return f"Did you mean '{near[0]}'?" if near else "Correct the mapping or choose the one made for this file."


def declared(frame: pl.DataFrame, form: CsvForm) -> pl.DataFrame:
    """Text columns as `form` declares them: without blanks around, and null for empty text and for null words."""
    text = cs.string() - cs.by_name(FILE, require_all=False)
    if form.trim:
        frame = frame.with_columns(text.str.strip_chars())
    frame = frame.with_columns(pl.when(text != "").then(text).name.keep())
    if form.nulls:
        frame = frame.with_columns(pl.when(~text.is_in(list(form.nulls))).then(text).name.keep())
    return frame
