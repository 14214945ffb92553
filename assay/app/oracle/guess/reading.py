"""Reads a bounded sample of somebody's file: from its beginning, middle and end where its format allows that."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from assay.app.oracle.column_types import of_one_type, plain_types
from assay.app.oracle.csv_text import BOM, GZIP, ZSTD, from_header
from assay.app.oracle.guess.dialects import Written, encoding_of, whole_rows, written
from assay.app.oracle.guess.headers import header_line, named_columns
from assay.app.oracle.guess.leaves import Leaf, leaf
from assay.app.oracle.guess.sample import Sample, sample_of
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.reading import READ_ERRORS, damaged, kind_of
from assay.app.oracle.refusing import unreadable
from assay.app.oracle.table_files import ParquetFolder, partition_of
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: rows of a sample
ROWS_MAX: Final = 10_000
#: bytes that are read at the beginning, and in the middle and at the end of a larger file
WINDOW_BYTES: Final = 4 << 20
#: blanks, and the marks that a text of an encoding begins with
_NOTHING: Final = b" \t\r\n\v\f\0\xef\xbb\xbf\xff\xfe"
_ENDS: Final = "the beginning, the middle and the end"


def read_sample(path: Path, rows_max: int = ROWS_MAX, window: int = WINDOW_BYTES, header: Sequence[str] = ()) -> Sample:
    """Columns with at most `rows_max` rows. `header` names the columns of a CSV whose first line is a row.

    Raises Quarantine as the import does for a file that it cannot read.
    """
    try:
        suffix = kind_of(path)
        if suffix in ("", ".parquet"):
            return _stored(path, rows_max)
        windows, read = _windows(path, window)
        if not windows[0].strip(_NOTHING):
            raise Quarantine(Reason.INPUT_EMPTY, "the input file is empty", where=str(path), remedy="Give a file with rows.")
        text = suffix in (".csv", ".tsv")
        sample = _csv(path, windows, rows_max, read, header) if text else _json_lines(path, windows, rows_max, read)
    except (*READ_ERRORS, EOFError, zlib.error, UnicodeError, csv.Error) as error:
        raise damaged(path, error) from None
    if not sample.rows:
        raise Quarantine(Reason.INPUT_EMPTY, "the input file holds no rows", where=str(path), remedy="Give a file with rows.")
    return sample


def _windows(path: Path, window: int) -> tuple[list[bytes], str]:
    """Whole lines of the file, and which they are."""
    with path.open("rb") as file:
        head = file.read(window)
        if head.startswith(GZIP):
            with gzip.open(file if file.seek(0) else path) as packed:
                return _packed(packed.read(3 * window), 3 * window)
        if head.startswith(ZSTD):
            lines = pl.scan_lines(path).head(ROWS_MAX + 1).collect().to_series().to_list()
            return _packed("\n".join([*lines, ""]).encode(), None if len(lines) <= ROWS_MAX else 0)
        size = path.stat().st_size
        if size <= 3 * window:
            return [head + file.read()], "the whole file"
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return [head[: len(head) // 2 * 2]], "the beginning of the file"
        found = [head]
        for at in (size // 2, size - window):
            file.seek(at)
            found.append(file.read(window).partition(b"\n")[2])
    return [whole_rows(head), _whole_lines(found[1]), found[2]], _ENDS


def _packed(text: bytes, full: int | None) -> tuple[list[bytes], str]:
    if full is None or (full and len(text) < full):
        return [text], "the whole file"
    return [whole_rows(text)], "the beginning of the packed file"


def _whole_lines(text: bytes) -> bytes:
    return text[: text.rfind(b"\n") + 1]


def _csv(path: Path, windows: Sequence[bytes], rows_max: int, read: str, names: Sequence[str]) -> Sample:
    encoding, why = encoding_of(b"".join(windows))
    texts = [
        window.decode(encoding or "utf-8", errors="strict" if number == 0 else "replace").encode() for number, window in enumerate(windows)
    ]
    default = "\t" if ".tsv" in map(str.lower, path.suffixes) else ","
    found = written(texts[0], default)
    if found.fault is not None:
        place = f"row {found.fault.row}" if found.fault.row else "the header"
        raise unreadable(f"{path}, {place}", found.fault.what, found.fault.remedy)
    header, *first = _fields(from_header(texts[0].removeprefix(BOM), found.form), found.form)
    line = header_line(header, first, names)
    if line is not None:
        header, first = named_columns(path, header, names), [header, *first]
    parts = [first]
    for text in texts[1:]:
        rows = _fields(_plain_marks(text, found), found.form)
        if all(len(row) == len(header) for row in rows):
            parts.append(rows)
        else:  # the window begins within a quoted field
            read = "the beginning of the file"
    taken, read = _some(parts, rows_max, read)
    form = [leaf("csv.encoding", encoding, why)] if encoding else []
    form += [] if line is None else [line]
    return sample_of(_frame(header, taken), _said(len(taken), read), [*form, *found.leaves])


def _plain_marks(text: bytes, found: Written) -> bytes:
    return from_header(text, found.form.model_copy(update={"preamble": None}))


def _fields(text: bytes, form: CsvForm) -> list[list[str]]:
    lines = io.StringIO(text.decode(), newline="")
    quote = form.quote_mark
    separator = form.separator or ","
    if quote is None:
        return [row for row in csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE) if row]
    return [row for row in csv.reader(lines, delimiter=separator, quotechar=quote) if row]


def _frame(header: Sequence[str], rows: Sequence[Sequence[str]]) -> pl.DataFrame:
    """Columns of text. A column without a name, and of two with one name, cannot be mapped."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    kept = [(name, values) for name, values in zip(header, columns, strict=True) if name and header.count(name) == 1]
    return pl.DataFrame({name: pl.Series(values, dtype=pl.String) for name, values in kept})


def _some(parts: Sequence[list[Any]], rows_max: int, read: str) -> tuple[list[Any], str]:
    """At most `rows_max` rows, a third of each part; of one part from its beginning, middle and end."""
    third = rows_max // 3
    if len(parts) == 1:
        rows = parts[0]
        if len(rows) <= rows_max:
            return rows, read
        middle = len(rows) // 2
        parts = [rows[:third], rows[middle : middle + third], rows[-third:]]
        read = _ENDS if read == "the whole file" else read
        return [row for part in parts for row in part], read
    return [row for part in (*parts[:-1], parts[-1][-third:]) for row in part[:third]], read


def _said(rows: int, read: str) -> str:
    return f"all {rows:,} rows" if read == "the whole file" else f"{rows:,} rows from {read}"


def _json_lines(path: Path, windows: Sequence[bytes], rows_max: int, read: str) -> Sample:
    encoding, why = encoding_of(b"".join(windows))
    texts = [window.decode(encoding or "utf-8", errors="replace") for window in windows]
    lines = [[line for line in text.split("\n") if line.strip()] for text in texts]  # a text may hold other marks that end lines
    taken, read = _some(lines, rows_max, read)
    objects = [_object(path, line) for line in taken]
    names = list(dict.fromkeys(name for one in objects for name in one))
    form: list[Leaf] = [leaf("csv.encoding", encoding, why)] if encoding else []
    frame = pl.DataFrame({name: _series([one.get(name) for one in objects]) for name in names if name})
    return sample_of(frame, _said(len(objects), read), form)


def _object(path: Path, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise unreadable(path, f"not one JSON object per line: {line[:40]!r}", "Write each payment as one object on a line of its own.")
    return found


def _series(values: list[Any]) -> pl.Series:
    if any(isinstance(value, dict | list) for value in values):
        return pl.Series([[None] if value is not None else None for value in values], dtype=pl.List(pl.Null))
    return pl.Series(values, strict=False)


def _stored(path: Path, rows_max: int) -> Sample:
    """Parquet: the first, middle and last rows; of a folder those of its first, middle and last file."""
    if not path.is_dir():
        frame, whole = _slices(path, rows_max)
        return sample_of(plain_types(frame), _said(len(frame), "the whole file" if whole else _ENDS), [])
    files = ParquetFolder(path).files
    chosen = [files[place] for place in sorted({0, len(files) // 2, len(files) - 1})]
    slices = [_slices(path / file, rows_max // 3) for file in chosen]
    frames = [_with_partitions(frame, file) for (frame, _), file in zip(slices, chosen, strict=True)]
    frame = of_one_type([path / file for file in chosen], [frame.select(frames[0].columns) for frame in frames])
    whole = len(chosen) == len(files) and all(whole for _, whole in slices)
    read = "the whole file" if whole else f"{len(chosen)} of {len(files)} files"
    return sample_of(frame, _said(len(frame), read), [])


def _slices(path: Path, rows_max: int) -> tuple[pl.DataFrame, bool]:
    """Rows of the beginning, the middle and the end, or all; and whether they are all."""
    scan = pl.scan_parquet(path, hive_partitioning=False)
    rows, third = int(scan.select(pl.len()).collect().item()), rows_max // 3
    parts = [scan] if rows <= rows_max else [scan.head(third), scan.slice(rows // 2, third), scan.tail(third)]
    return pl.concat([part.collect() for part in parts]), rows <= rows_max


def _with_partitions(frame: pl.DataFrame, file: Path) -> pl.DataFrame:
    given = partition_of(file)
    return frame.with_columns(pl.lit(value, dtype=pl.String).alias(name) for name, value in given.items())
