"""Takes the rows of a file that its mapping asks for."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from assay.app.oracle.mapping_parts import RowFilter
from assay.app.oracle.refusing import refuse_row
from assay.app.oracle.spellings import meanings, one_spelling, refuse_unmet, told
from assay.app.oracle.text_columns import refuse_look_alikes
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason


def taken_rows(frame: pl.DataFrame, filters: Sequence[RowFilter]) -> pl.DataFrame:
    """The rows that every filter takes; they keep their numbers.

    Raises Quarantine: INPUT_VALUE_INVALID for a value of the mapping that no row has, and for a value of neither list where both are
    given, for blanks around a value and words that may mean nothing; INPUT_EMPTY when no row is taken.
    """
    taken = pl.Series([True]).new_from_index(0, len(frame))
    for one in filters:
        taken &= _taken(frame, one)
    if filters and not taken.any():
        what, where = "no row is taken by the mapping's 'filter'", f"column '{filters[0].column}'"
        raise Quarantine(Reason.INPUT_EMPTY, what, where=where, remedy="Correct 'filter' in the mapping.")
    return frame.filter(taken) if filters else frame


def _taken(frame: pl.DataFrame, one: RowFilter) -> pl.Series:
    text = told(frame, one.column)
    refuse_look_alikes(frame, text, one.column, values=[str(value) for value in (*(one.keep or ()), *(one.drop or ()))])
    values = one_spelling(text)
    if one.keep is not None and one.drop is not None:
        foreign = ~values.is_in(meanings([*one.keep, *one.drop])).fill_null(True)
        what, remedy = "a value that is neither in 'keep' nor in 'drop'", "Add the value to one of them in the mapping's 'filter'."
        refuse_row(frame, foreign, Reason.INPUT_VALUE_INVALID, one.column, what, remedy)
    else:
        name, listed = ("keep", one.keep) if one.keep is not None else ("drop", one.drop or ())
        remedy = "Correct the value; list all values in 'keep' and 'drop' if a file may lack one of them."
        refuse_unmet(text, one.column, f"filter.{name}", listed, remedy)
    if one.keep is not None:
        return values.is_in(meanings(one.keep)).fill_null(False)
    return ~values.is_in(meanings(one.drop or ())).fill_null(False)
