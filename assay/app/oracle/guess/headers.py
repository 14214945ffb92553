"""Whether the first line of a CSV is its header, or a row as all the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.formats import formats_of
from assay.app.oracle.guess.leaves import Leaf, leaf, todo
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.refusing import unreadable
from assay.app.oracle.time_faults import WRITTEN

HEADER: Final = "csv.header"
_ASK: Final = "the names of the columns in their order, as in [id, time, amount]; or false, and they are column_1, column_2 and so on"
#: an amount with the sign or the code of a currency
_MONEY: Final = r"^[^0-9A-Za-z+-]{0,3}[+-]?[0-9][0-9.,' ]*[0-9]?( ?[^0-9A-Za-z]| ?[A-Z]{3})?$"
#: rows that are looked at, and names that a reason shows
_ROWS: Final = 200
_SHOWN: Final = 6


def header_line(first: Sequence[str], rows: Sequence[Sequence[str]], names: Sequence[str]) -> Leaf | None:
    """The line of a file without a header, for which `names` were said, or are asked for; None for a file with one."""
    if names:
        return leaf(HEADER, list(names), "said by the caller: the first line is a row")
    shown = row_as_header(first, rows)
    return todo(HEADER, shown, _ASK) if shown else None


def named_columns(path: Path, first: Sequence[str], names: Sequence[str]) -> list[str]:
    """The columns of a file without a header. Raises Quarantine(INPUT_FILE_UNREADABLE) for more or fewer names than fields."""
    if names and len(names) != len(first):
        what = f"{HEADER} names {len(names)} columns, the rows have {len(first)} fields"
        raise unreadable(path, what, "Name every column of the file, in its order.")
    return list(names) or CsvForm(header=False).names_of(first) or []


def row_as_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Why the first line is a row, as a sentence; empty where it is a header.

    A row has a number where all others have numbers, and a time where they have times. A header has neither, or not in all of these
    columns: `2019` and `2020` are names, too.
    """
    if [name for name in first if name] in ([str(at + begin) for at in range(len(first))][: sum(map(bool, first))] for begin in (0, 1)):
        return ""  # columns that were numbered
    told = [found for name, *values in zip(first, *rows[:_ROWS], strict=True) if (found := _fits(name, values)) is not None]
    if not told or not all(told):
        return ""
    shown = ", ".join(first[:_SHOWN]) + (", …" if len(first) > _SHOWN else "")
    return f"the first line is a row as all others: {shown}"


def _fits(name: str, values: Sequence[str]) -> bool | None:
    """Whether a name is a value as those below it; None where they have no form, or it is empty."""
    text = SampleColumn(name, pl.Series([*values], dtype=pl.String)).text
    if text.is_empty() or not name.strip():
        return None
    given = pl.Series([name.strip()], dtype=pl.String)
    for form in (WRITTEN, _MONEY):
        if text.str.contains(form).all():
            return bool(given.str.contains(form).all())
    return formats_of(given) is not None if formats_of(text) is not None else None
