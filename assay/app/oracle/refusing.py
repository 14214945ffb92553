"""How a file is refused: by column and row, with the values of the first rows at fault and the number of all."""

from __future__ import annotations

from typing import NoReturn

import polars as pl

from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: 1 is the first row of data; a CSV's header is not counted
ROW = "\0row"
#: the file of a folder that a row stands in
FILE = "\0file"
#: rows that a refusal shows
_SHOWN = 3


def values_of(frame: pl.DataFrame, column: str) -> pl.Series:
    """A column under a name of ours: methods of a series take names such as `*` and `^a$` for patterns."""
    return frame[column].alias("values")


def refuse_row(frame: pl.DataFrame, bad: pl.Series, reason: Reason, column: str, what: str, remedy: str) -> None:
    """Raise Quarantine naming the first row where `bad` holds and its value; then how many rows share the fault, with two more of them."""
    count = int(bad.sum())
    if not count:
        return
    first, *further = frame.filter(bad).head(_SHOWN).iter_rows(named=True)
    others = ""
    if further:
        shown = ", ".join(f"row {row[ROW]}: {row.get(column)!r}" for row in further)
        others = f" (and {count - 1} more row{'s' if count > 2 else ''}: {shown}{', …' if count > _SHOWN else ''})"
    raise Quarantine(reason, f"{what}: {first.get(column)!r}{others}", where=f"column '{column}', {_place(frame, first)}", remedy=remedy)


def refuse_type(column: str, dtype: pl.DataType, expected: str) -> NoReturn:
    """Raise Quarantine(INPUT_COLUMN_TYPE)."""
    raise Quarantine(
        Reason.INPUT_COLUMN_TYPE,
        f"the column holds {dtype}, expected {expected}",
        where=f"column '{column}'",
        remedy="Name another column in the mapping, or convert this one before the import.",
    )


NESTED_REMEDY = "Write its parts as columns of their own before the import, such as payer_account; only plain values are read."


def refuse_nested(column: str, dtype: pl.DataType) -> NoReturn:
    """Raise Quarantine(INPUT_COLUMN_TYPE) for objects and lists, in words."""
    if isinstance(dtype, pl.Struct):
        what = f"the column holds objects with {', '.join(field.name for field in dtype.fields)}"
    else:
        what = "the column holds lists"
    raise Quarantine(Reason.INPUT_COLUMN_TYPE, what, where=f"column '{column}'", remedy=NESTED_REMEDY)


def unreadable(where: object, what: str, remedy: str) -> Quarantine:
    """A file that cannot be read as it stands."""
    return Quarantine(Reason.INPUT_FILE_UNREADABLE, what, where=str(where), remedy=remedy)


def _place(frame: pl.DataFrame, row: dict[str, object]) -> str:
    """The row; in a folder of files also its file, and the row there."""
    file, number = row.get(FILE), row[ROW]
    if file is None or not isinstance(number, int):
        return f"row {number}"
    before = int(frame.filter(frame[FILE] == file)[ROW][0]) - 1
    return f"row {number} ({file}, row {number - before})"
