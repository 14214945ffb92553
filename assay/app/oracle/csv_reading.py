"""Reads a CSV: surveyed first, then parsed, and both must find the same rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from assay.app.oracle.csv_survey import Dialect, Fault, survey
from assay.app.oracle.csv_text import BOM, csv_text
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.refusing import unreadable
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: separators that files have where a comma is expected
_SEPARATORS: Final = {";": "';'", "\t": "a tab", "|": "'|'", ",": "','"}


_SEPARATOR_REMEDY: Final = "Declare csv.separator in the mapping."


class CsvFile:
    """A CSV whose rows were counted. Raises Quarantine(INPUT_FILE_UNREADABLE, INPUT_EMPTY)."""

    def __init__(self, path: Path, form: CsvForm) -> None:
        self.path, self.form = path, form
        self.separator = form.separator or ("\t" if ".tsv" in map(str.lower, path.suffixes) else ",")
        text, quote = csv_text(path, form), form.quote_mark
        dialect = Dialect(ord(self.separator), None if quote is None else ord(quote), form.escape is not None, bool(form.multiline))
        found = survey(text, dialect)
        if isinstance(found, Fault):
            self.columns = self._header(text.partition(b"\n")[0].decode())
            if self.hint():
                raise unreadable(path, f"the header has one field{self.hint()}", _SEPARATOR_REMEDY)
            row = found.row + (form.header is not None)
            raise unreadable(f"{path}, {f'row {row}' if row else 'the header'}", found.what, found.remedy)
        if not text.strip():
            raise Quarantine(Reason.INPUT_EMPTY, "the input file is empty", where=str(path), remedy="Give a file with rows.")
        first = self._header(text[: found.header_end].decode())
        names = form.names_of(first)
        self.rows, self.columns = found.rows + (names is not None), first if names is None else names
        if len(self.columns) != len(first):
            what = f"csv.header names {len(self.columns)} columns, the rows have {len(first)} fields"
            raise unreadable(path, what, "Name every column of the file, in its order.")
        # the parser takes this mark away, and not U+FEFF of the first row
        self._text = BOM + (text[found.header_end + 1 :] if names is None else text)

    def frame(self, columns: Sequence[str]) -> pl.DataFrame:
        """Columns of the header as text; an empty field is null. Raises Quarantine(INPUT_FILE_UNREADABLE)."""
        for column in columns:
            if self.columns.count(column) > 1:
                what = f"the header names the column '{column}' {self.columns.count(column)} times"
                raise unreadable(self.path, what, "Give every column that the mapping names a name of its own.")
        return self._at({column: self.columns.index(column) for column in columns})

    def whole(self) -> pl.DataFrame:
        """All columns; further ones of the same name as `name [2]`, `name [3]`."""
        places: dict[str, int] = {}
        for place, column in enumerate(self.columns):
            named, number = column, 1
            while named in places or (number > 1 and named in self.columns):
                number += 1
                named = f"{column} [{number}]"
            places[named] = place
        return self._at(places)

    def _at(self, found: dict[str, int]) -> pl.DataFrame:
        places = {column: str(place) for column, place in found.items()}
        if not self.rows:
            return pl.DataFrame(schema=dict.fromkeys(places, pl.String))
        schema = {str(place): pl.String for place in range(len(self.columns))}
        scan = pl.scan_csv(
            io.BytesIO(self._text), has_header=False, schema=schema, separator=self.separator, quote_char=self.form.quote_mark
        )
        frame = scan.select(places.values()).collect()
        if len(frame) != self.rows:
            what = f"the file has {self.rows} rows, its reader finds {len(frame)}"
            raise unreadable(self.path, what, "Write the file again with every field in quotation marks.")
        return pl.DataFrame([frame[place].alias(column) for column, place in places.items()])

    def hint(self) -> str:
        """Another separator that the header seems to have, as the end of a sentence."""
        seen = next((name for mark, name in _SEPARATORS.items() if len(self.columns) == 1 and mark in self.columns[0]), "")
        return f"; it seems to be separated by {seen}" if seen else ""

    def _header(self, line: str) -> list[str]:
        quote = self.form.quote_mark
        line = line.strip("\r\n")
        names = line.split(self.separator) if quote is None else next(csv.reader([line], delimiter=self.separator, quotechar=quote))
        return [name.strip() for name in names] if self.form.trim else names
