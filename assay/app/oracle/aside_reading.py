"""Reads a file of rows that an import set aside: the values as they stood or were corrected, under the numbers that the rows had."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from assay.app.oracle.aside_types import FLOATS, NOT_FINITE, OtherType, restored
from assay.app.oracle.csv_text import GZIP, ZSTD, utf8_text
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.refusing import FILE, FILE_ROW, ROW, unreadable
from assay.app.oracle.table_files import JsonLines, json_object
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

_KEYS: Final = {"assay", "values"}
_ROWS_END: Final = 2**32
#: where a row stood: its name in a frame and in `assay`
_PLACES: Final = ((ROW, "row", pl.UInt32), (FILE, "file", pl.String), (FILE_ROW, "file_row", pl.Int64))


def json_lines(path: Path, form: CsvForm) -> JsonLines | AsideLines:
    """Somebody's JSON lines, or those of rows that were set aside; these are UTF-8, whatever the form of the file they come from."""
    with path.open("rb") as file:
        first = next((line for line in file if line.strip()), b"")
    if first.startswith((GZIP, ZSTD)):
        first = utf8_text(path, CsvForm()).lstrip().partition(b"\n")[0]
    return AsideLines(path, form) if first.lstrip().startswith(b"{") and _is_aside(path, first) else JsonLines(path, form)


def _is_aside(path: Path, line: bytes) -> bool:
    try:
        return _parts(json_object(path, 1, line)) is not None
    except Quarantine:
        return False


def _parts(line: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """What assay says of a row, and its values; None for an object that is none of a row set aside."""
    ours, values = line.get("assay"), line.get("values")
    if line.keys() != _KEYS or not isinstance(ours, dict) or not isinstance(values, dict):
        return None
    row = ours.get("row")
    return (ours, values) if type(row) is int and 0 < row < _ROWS_END and values else None


class AsideLines:
    """Rows that were set aside. Raises Quarantine(INPUT_FILE_UNREADABLE) for a line of another kind and for a row that is there twice."""

    def __init__(self, path: Path, form: CsvForm) -> None:
        self._path, self._form = path, form
        text = utf8_text(path, CsvForm())
        self._lines: list[int] = []
        self._types: dict[str, str] = {}
        self._kinds: dict[str, dict[str, int]] = {}  # column → kind of value → its first line
        ours = [self._line(number, line) for number, line in enumerate(io.BytesIO(text), start=1) if line.strip()]
        places = [(name, [one.get(key) for one in ours], dtype) for name, key, dtype in _PLACES]
        self._places = [pl.Series(name, held, dtype, strict=False) for name, held, dtype in places if any(held)]
        twice = (~self._places[0].is_first_distinct()).arg_true()
        if len(twice):
            where, what = f"{path}, line {self._lines[twice[0]]}", f"row {ours[twice[0]]['row']} is there twice"
            raise unreadable(where, what, "Leave each row once; rows of another import stay in a file of their own.")
        self._rows = pl.read_ndjson(io.BytesIO(text), infer_schema_length=None)["values"].struct.unnest()
        self.columns = self._rows.columns

    def frame(self, columns: Sequence[str]) -> pl.DataFrame:
        """The rows of these columns in the types that they had, with ROW, and FILE and FILE_ROW of a folder.

        Raises Quarantine: INPUT_COLUMN_TYPE for a list, an object or a number beside text; INPUT_VALUE_INVALID for a value that the type
        of its column does not have.
        """
        return pl.DataFrame([*self._places, *(self._typed(name) for name in columns)])

    def whole(self) -> pl.DataFrame:
        """All columns; one that `frame` would refuse as it stands."""
        return pl.DataFrame([*self._places, *map(self._typed_or_plain, self.columns)])

    def hint(self) -> str:
        """Nothing."""
        return ""

    def _line(self, number: int, line: bytes) -> dict[str, Any]:
        parts = _parts(json_object(self._path, number, line))
        if parts is None:
            what = "not a row that was set aside, as the first line is: 'assay' with the number of its row, and 'values'"
            raise unreadable(f"{self._path}, line {number}", what, "Correct the values, and leave the rest of a line as it was written.")
        ours, values = parts
        types = ours.get("types")
        for name, kind in types.items() if isinstance(types, dict) else ():
            if self._types.setdefault(name, kind) != kind:
                what = f"the column '{name}' held {kind}, and {self._types[name]} in lines before"
                raise unreadable(f"{self._path}, line {number}", what, "Import the rows of each file by themselves.")
        for name, value in values.items():
            if value is not None:
                self._kinds.setdefault(name, {}).setdefault(_kind(value, of_floats=self._types.get(name) in FLOATS), number)
        self._lines.append(number)
        return ours

    def _typed(self, name: str) -> pl.Series:
        series, kind, kinds = self._rows[name], self._types.get(name), self._kinds.get(name, {})
        beside = "a list or an object" if series.dtype == pl.String else ""
        if kind in FLOATS or self._form.decimal == ",":
            beside = beside if beside in kinds else "a number"
        if beside in kinds and "text" in kinds:
            where = f"{self._path}, line {kinds[beside]}, column '{name}'"
            raise Quarantine(
                Reason.INPUT_COLUMN_TYPE, f"{beside} beside text", where=where, remedy="Write the column as text in all lines."
            )
        if kind is None or (kind in FLOATS and "text" in kinds):
            return series
        try:
            return restored(series, kind).alias(name)
        except OtherType as other:
            where = f"{self._path}, line {self._lines[other.place]}, column '{name}'"
            raise Quarantine(Reason.INPUT_VALUE_INVALID, other.what, where=where, remedy=other.remedy) from None

    def _typed_or_plain(self, name: str) -> pl.Series:
        try:
            return self._typed(name)
        except Quarantine:
            return self._rows[name]


def _kind(value: object, *, of_floats: bool) -> str:
    if isinstance(value, list | dict):
        return "a list or an object"
    if isinstance(value, str):
        return "a number" if of_floats and value in NOT_FINITE else "text"
    return "a number" if of_floats or isinstance(value, float) else "a whole number or a flag"
