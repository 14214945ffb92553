"""Takes the rows of a file that its mapping asks for."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from assay.app.oracle.mapping_parts import RowFilter
from assay.app.oracle.refusing import refuse_row
from assay.app.oracle.spellings import MappedValue, meanings, one_spelling, refuse_unmet, told
from assay.app.oracle.text_columns import refuse_look_alikes
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason


def taken_rows(frame: pl.DataFrame, filters: Sequence[RowFilter], *, whole: bool = True) -> pl.DataFrame:
    """The rows that every filter takes; they keep their numbers.

    `whole`: these are all rows there are. Of a part, a value that no row has says nothing, and no row may be taken.
    Raises Quarantine: INPUT_VALUE_INVALID for a value of the mapping that no row has, and for a value of neither list where both are
    given, for blanks around a value and words that may mean nothing; INPUT_EMPTY when no row is taken.
    """
    taken = pl.Series([True]).new_from_index(0, len(frame))
    for one in filters:
        taken &= _taken(frame, one, whole=whole)
    if whole and filters and not taken.any():
        what, where = "no row is taken by the mapping's 'filter'", f"column '{filters[0].column}'"
        raise Quarantine(Reason.INPUT_EMPTY, what, where=where, remedy="Correct 'filter' in the mapping.")
    return frame.filter(taken) if filters else frame


def _taken(frame: pl.DataFrame, one: RowFilter, *, whole: bool) -> pl.Series:
    text = told(frame, one.column)
    keep, drop = _values(one.keep), _values(one.drop)
    refuse_look_alikes(frame, text, one.column, values=[str(value) for value in (*keep, *drop)])
    values = one_spelling(text)
    if one.keep is not None and one.drop is not None:
        foreign = values.is_not_null() & ~values.is_in(meanings([*keep, *drop])).fill_null(False)
        what, remedy = "a value that is neither in 'keep' nor in 'drop'", "Add the value to one of them in the mapping's 'filter'."
        refuse_row(frame, foreign, Reason.INPUT_VALUE_INVALID, one.column, what, remedy)
    elif whole:
        name, listed = ("keep", keep) if one.keep is not None else ("drop", drop)
        remedy = "Correct the value; list all values in 'keep' and 'drop' if a file may lack one of them."
        refuse_unmet(text, one.column, f"filter.{name}", listed, remedy)
    if one.keep is not None:
        return _holds(values, one.keep)
    return ~_holds(values, one.drop or ())


def _values(listed: Sequence[MappedValue | None] | None) -> list[MappedValue]:
    return [value for value in listed or () if value is not None]


def _holds(values: pl.Series, listed: Sequence[MappedValue | None]) -> pl.Series:
    """Which rows have a value of the list; null is a row without one."""
    held = values.is_in(meanings(_values(listed))).fill_null(False)
    return held | values.is_null() if None in listed else held
