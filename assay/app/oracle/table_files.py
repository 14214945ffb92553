"""Files whose columns have types: Parquet, a folder of Parquet files, and JSON lines."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from assay.app.oracle.csv_text import utf8_text
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.refusing import FILE, unreadable
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: the partition of rows without a value
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


class ParquetFile:
    """One Parquet file."""

    def __init__(self, path: Path, form: CsvForm) -> None:
        self._scan = pl.scan_parquet(path, hive_partitioning=False)
        self.columns = self._scan.collect_schema().names()

    def frame(self, columns: Sequence[str]) -> pl.DataFrame:
        """The rows of these columns; a column may have any name, `*` and `^a$`, too."""
        return self._scan.select(cs.by_name(*columns)).collect()

    def hint(self) -> str:
        """Nothing."""
        return ""


class ParquetFolder:
    """A folder of Parquet files, in the order of their paths. `day=2024-01-01/` is a column `day` of text.

    Raises Quarantine(INPUT_FILE_MISSING) for a folder without any.
    """

    def __init__(self, path: Path) -> None:
        names = (file.relative_to(path) for file in path.rglob("*.parquet") if file.is_file())
        self.files = sorted(name for name in names if not any(part.startswith(("_", ".")) for part in name.parts))
        if not self.files:
            what = "this is a folder, and it holds no .parquet file"
            raise Quarantine(Reason.INPUT_FILE_MISSING, what, where=str(path), remedy="Give a file, or a folder of .parquet files.")
        self._path = path
        self._partitions = list(_partition(self.files[0]))
        for file in self.files:
            if list(_partition(file)) != self._partitions:
                raise unreadable(path / file, "the file lies in other partitions than the first one", "Give a folder of one layout.")
        stored = pl.scan_parquet(path / self.files[0], hive_partitioning=False).collect_schema().names()
        self.columns = [*stored, *(name for name in self._partitions if name not in stored)]

    def frame(self, columns: Sequence[str]) -> pl.DataFrame:
        """The rows of these columns, and FILE."""
        return pl.concat([self._rows(file, columns) for file in self.files], how="vertical_relaxed")

    def hint(self) -> str:
        """Nothing."""
        return ""

    def _rows(self, file: Path, columns: Sequence[str]) -> pl.DataFrame:
        partition = _partition(file)
        scan = pl.scan_parquet(self._path / file, hive_partitioning=False)
        stored = scan.collect_schema().names()
        missing = [column for column in columns if column not in partition and column not in stored]
        if missing:
            what = f"the file has no column '{missing[0]}', others of the folder have"
            raise Quarantine(Reason.INPUT_COLUMN_MISSING, what, where=str(self._path / file), remedy="Give files of one shape.")
        rows = scan.select(cs.by_name(*(column for column in columns if column not in partition))).collect()
        height = scan.select(pl.len()).collect().item()
        given = {**{name: pl.Series([value], dtype=pl.String) for name, value in partition.items()}, FILE: pl.Series([str(file)])}
        filled = [series.new_from_index(0, height).alias(name) for name, series in given.items() if name in (*columns, FILE)]
        return pl.DataFrame([*rows.iter_columns(), *filled]).select(cs.by_name(*columns, FILE))


class JsonLines:
    """A JSON object per line; columns are their keys."""

    def __init__(self, path: Path, form: CsvForm) -> None:
        self._path = path
        text = utf8_text(path, form)
        self.lines = 0
        for number, line in enumerate(io.BytesIO(text), start=1):
            if line.strip():
                _refuse_unlike_object(path, number, line)
                self.lines += 1
        if not self.lines:
            raise Quarantine(Reason.INPUT_EMPTY, "the input file is empty", where=str(path), remedy="Give a file with rows.")
        self._rows = pl.read_ndjson(io.BytesIO(text), infer_schema_length=None)
        self.columns = self._rows.columns

    def frame(self, columns: Sequence[str]) -> pl.DataFrame:
        """The rows of these columns. Raises Quarantine(INPUT_FILE_UNREADABLE) when the reader finds other rows than there are lines."""
        if len(self._rows) != self.lines:
            what = f"the file has {self.lines} lines, its reader finds {len(self._rows)} rows"
            raise unreadable(self._path, what, "Write one JSON object per line.")
        return self._rows.select(cs.by_name(*columns))

    def hint(self) -> str:
        """Nothing."""
        return ""


class _GivenTwice(ValueError):
    """An object gives a key twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _GivenTwice(f"the key '{next(name for name in names if names.count(name) > 1)}' is given twice")
    return found


def _refuse_unlike_object(path: Path, number: int, line: bytes) -> None:
    """A line is one JSON object that gives each key once: of two, readers keep this one or that."""
    try:
        fault = "" if isinstance(json.loads(line, object_pairs_hook=_once), dict) else "no object"
    except (ValueError, RecursionError) as error:
        fault = str(error) if isinstance(error, _GivenTwice) else f"no JSON ({error})"
    if fault:
        raise unreadable(
            f"{path}, line {number}", f"not one JSON object per line: {fault}", "Write each payment as one object on a line of its own."
        )


def _partition(file: Path) -> dict[str, str | None]:
    """Names and values of `name=value/` in a path."""
    from urllib.parse import unquote

    pairs = (part.split("=", 1) for part in file.parts[:-1] if "=" in part)
    return {unquote(name): None if value == _HIVE_NULL else unquote(value) for name, value in pairs}
