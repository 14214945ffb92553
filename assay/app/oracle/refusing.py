"""How a file is refused: by column and row, with the values of the first rows at fault and the number of all."""

from __future__ import annotations

from typing import NamedTuple, NoReturn

import polars as pl

from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: 1 is the first row of data; a CSV's header is not counted
ROW = "\0row"
#: the file of a folder that a row stands in, and the row there
FILE = "\0file"
FILE_ROW = "\0file row"
#: rows that a refusal shows
_SHOWN = 3


def values_of(frame: pl.DataFrame, column: str) -> pl.Series:
    """A column under a name of ours: methods of a series take names such as `*` and `^a$` for patterns."""
    return frame[column].alias("values")


class RowsRefused(Quarantine):
    """Rows of a file that share a fault, and would be refused without the others, too.

    `rows`: their numbers. `what` names the first of them and its value; `told` says the same of any row.
    """

    def __init__(self, reason: Reason, what: str, where: str, remedy: str, told: Told) -> None:
        self.told = told
        self.rows = told.held[ROW]
        super().__init__(reason, what, where=where, remedy=remedy)


class Told(NamedTuple):
    """The fault of some rows in a column: `held` has their numbers and values."""

    column: str
    fault: str
    held: pl.DataFrame

    def details(self) -> list[str]:
        """The fault and the value of each row, in words."""
        return [f"{self.fault}: {value!r}" for value in self.held[self.held.columns[-1]].to_list()]


def refuse_row(frame: pl.DataFrame, bad: pl.Series, reason: Reason, column: str, what: str, remedy: str, *, of_file: bool = False) -> None:
    """Raise RowsRefused naming the first row where `bad` holds and its value; then how many rows share the fault, with two more of them.

    `of_file`: the fault is in how the file is declared, and these rows only show it. Then it is a plain Quarantine: without these rows
    the file would be taken for something else than it is.
    """
    count = int(bad.sum())
    if not count:
        return
    at_fault = frame.filter(bad)
    first, *further = at_fault.head(_SHOWN).iter_rows(named=True)
    others = ""
    if further:
        shown = ", ".join(f"row {row[ROW]}: {row.get(column)!r}" for row in further)
        others = f" (and {count - 1} more row{'s' if count > 2 else ''}: {shown}{', …' if count > _SHOWN else ''})"
    said, where = f"{what}: {first.get(column)!r}{others}", f"column '{column}', {_place(first)}"
    if of_file:
        raise Quarantine(reason, said, where=where, remedy=remedy)
    value = at_fault[column] if column in at_fault.columns else pl.Series([None]).new_from_index(0, count)
    raise RowsRefused(reason, said, where, remedy, Told(column, what, pl.DataFrame([at_fault[ROW], value.alias("value")])))


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


def _place(row: dict[str, object]) -> str:
    """The row; in a folder of files also its file, and the row there."""
    return f"row {row[ROW]}" if row.get(FILE) is None else f"row {row[ROW]} ({row[FILE]}, row {row[FILE_ROW]})"
