"""Files whose columns have types: Parquet, a folder of Parquet files, and JSON lines."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from assay.app.oracle.aside_types import in_words
from assay.app.oracle.column_types import of_one_type
from assay.app.oracle.csv_text import utf8_text
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.refusing import FILE, unreadable
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: the partition of rows without a value
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
#: the first bytes of a Parquet file, and ends of files that hold rows
_PARQUET_MARK = b"PAR1"
_OTHER_DATA = frozenset(
    {".parq", ".pq", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".orc", ".avro", ".arrow", ".feather", ".ipc", ".xlsx", ".xls", ".zip"}
)


class ParquetFile:
    """One Parquet file."""

    def __init__(self, path: Path, form: CsvForm) -> None:
        self._scan = pl.scan_parquet(path, hive_partitioning=False)
        self.columns = self._scan.collect_schema().names()

    def frame(self, columns: Sequence[str]) -> pl.DataFrame:
        """The rows of these columns; a column may have any name, `*` and `^a$`, too."""
        return self._scan.select(cs.by_name(*columns)).collect()

    def whole(self) -> pl.DataFrame:
        """All columns."""
        return self.frame(self.columns)

    def hint(self) -> str:
        """Nothing."""
        return ""


class ParquetFolder:
    """A folder of Parquet files, in the order of their paths. `day=2024-01-01/` is a column `day` of text.

    Raises Quarantine: INPUT_FILE_MISSING for a folder without any; INPUT_FILE_UNREADABLE for several layouts and for data that is not
    in a `.parquet` file.
    """

    def __init__(self, path: Path) -> None:
        names = sorted(file.relative_to(path) for file in path.rglob("*"))
        seen = [name for name in names if not any(map(_left_beside, name.parts))]
        for name in seen:
            _refuse_unread(path / name)
        self.files = [name for name in seen if name.suffix.lower() == ".parquet" and (path / name).is_file()]
        if not self.files:
            what = "this is a folder, and it holds no .parquet file"
            raise Quarantine(Reason.INPUT_FILE_MISSING, what, where=str(path), remedy="Give a file, or a folder of .parquet files.")
        self._path = path
        self._partitions = list(partition_of(self.files[0]))
        for file in self.files:
            if list(partition_of(file)) != self._partitions:
                raise unreadable(path / file, "the file lies in other partitions than the first one", "Give a folder of one layout.")
        stored = pl.scan_parquet(path / self.files[0], hive_partitioning=False).collect_schema().names()
        self.columns = [*stored, *(name for name in self._partitions if name not in stored)]

    def frame(self, columns: Sequence[str]) -> pl.DataFrame:
        """The rows of these columns, and FILE."""
        return of_one_type([self._path / file for file in self.files], [self._rows(file, columns) for file in self.files])

    def whole(self) -> pl.DataFrame:
        """All columns of the first file, and FILE. One that another file lacks is null there, and one of several types is text."""
        places = [self._path / file for file in self.files]
        stored = [pl.scan_parquet(place, hive_partitioning=False).collect_schema().names() for place in places]
        held = [[name for name in self.columns if name in (*self._partitions, *names)] for names in stored]
        parts = [self._rows(file, names) for file, names in zip(self.files, held, strict=True)]
        filled = [part.with_columns(pl.lit(None).alias(name) for name in self.columns if name not in part.columns) for part in parts]
        return pl.DataFrame([_one_type_or_text(places, [part[name] for part in filled]) for name in (*self.columns, FILE)])

    def hint(self) -> str:
        """Nothing."""
        return ""

    def _rows(self, file: Path, columns: Sequence[str]) -> pl.DataFrame:
        partition = partition_of(file)
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
        self._untold: dict[str, tuple[int, str]] = {}  # column → its first line with a value that has no text of its own
        for number, line in enumerate(io.BytesIO(text), start=1):
            if line.strip():
                for name, value in json_object(path, number, line).items():
                    if isinstance(value, list | dict):
                        self._untold.setdefault(name, (number, "a list or an object"))
                    elif isinstance(value, float) and form.decimal == ",":
                        self._untold.setdefault(name, (number, "a number with a point of its own, which csv.decimal does not fit,"))
                self.lines += 1
        if not self.lines:
            raise Quarantine(Reason.INPUT_EMPTY, "the input file is empty", where=str(path), remedy="Give a file with rows.")
        self._rows = pl.read_ndjson(io.BytesIO(text), infer_schema_length=None)
        self.columns = self._rows.columns

    def frame(self, columns: Sequence[str]) -> pl.DataFrame:
        """The rows of these columns.

        Raises Quarantine: INPUT_FILE_UNREADABLE when the reader finds other rows than there are lines; INPUT_COLUMN_TYPE for a list, an
        object, or a number that csv.decimal does not fit, in a column of text.
        """
        rows = self.whole()
        for name in columns:
            if name in self._untold and self._rows.schema[name] == pl.String:
                number, what = self._untold[name]
                where = f"{self._path}, line {number}, column '{name}'"
                raise Quarantine(
                    Reason.INPUT_COLUMN_TYPE, f"{what} beside text", where=where, remedy="Write the column as text in all lines."
                )
        return rows.select(cs.by_name(*columns))

    def whole(self) -> pl.DataFrame:
        """All columns; beside text, a list, an object or a number is text."""
        if len(self._rows) != self.lines:
            what = f"the file has {self.lines} lines, its reader finds {len(self._rows)} rows"
            raise unreadable(self._path, what, "Write one JSON object per line.")
        return self._rows

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


def json_object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """A line is one JSON object that gives each key once: of two, readers keep this one or that."""
    try:
        found = json.loads(line, object_pairs_hook=_once)
        if isinstance(found, dict):
            return found
        fault = "no object"
    except (ValueError, RecursionError) as error:
        fault = str(error) if isinstance(error, _GivenTwice) else f"no JSON ({error})"
    where, what = f"{path}, line {number}", f"not one JSON object per line: {fault}"
    raise unreadable(where, what, "Write each payment as one object on a line of its own.")


def _one_type_or_text(places: Sequence[Path], parts: Sequence[pl.Series]) -> pl.Series:
    """Parts of a column as `of_one_type` has them; as text where they have no type in common."""
    try:
        return of_one_type(places, [part.to_frame() for part in parts]).to_series()
    except Quarantine:
        return pl.concat([in_words(part) for part in parts]).alias(parts[0].name)


def _left_beside(part: str) -> bool:
    """Names of files and folders that writers of data leave beside it, such as `_SUCCESS`; `_day=1` is a partition."""
    return part.startswith(".") or (part.startswith("_") and "=" not in part)


def _refuse_unread(path: Path) -> None:
    """Rows that a folder holds and nobody would read: data in another kind of file, and folders behind a link."""
    if path.is_symlink() and not path.is_file():
        raise unreadable(path, "a link to a folder or to nothing, which is not followed", "Put the folder or file itself there.")
    if not path.is_file():
        return
    if path.suffix.lower() == ".parquet":
        return
    if not _OTHER_DATA.isdisjoint(suffix.lower() for suffix in path.suffixes) or _begins(path) == _PARQUET_MARK:
        what = "a folder of Parquet files holds other data, too"
        remedy = "Let the names of all Parquet files end in .parquet, and take other files out (or begin their names with '_')."
        raise unreadable(path, what, remedy)


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_PARQUET_MARK))


def partition_of(file: Path) -> dict[str, str | None]:
    """Names and values of `name=value/` in a path."""
    from urllib.parse import unquote

    pairs = (part.split("=", 1) for part in file.parts[:-1] if "=" in part)
    return {unquote(name): None if value == _HIVE_NULL else unquote(value) for name, value in pairs}
