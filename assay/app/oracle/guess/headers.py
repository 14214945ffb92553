"""Whether the first line of a CSV is its header, or a row as all the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.formats import formats_of
from assay.app.oracle.time_faults import WRITTEN

#: an amount with the sign or the code of a currency
_MONEY: Final = r"^[^0-9A-Za-z+-]{0,3}[+-]?[0-9][0-9.,' ]*[0-9]?( ?[^0-9A-Za-z]| ?[A-Z]{3})?$"
#: rows that are looked at, and names that a reason shows
_ROWS: Final = 200
_SHOWN: Final = 6


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
    return f"the first line is a row as all others ({shown}); give the names of the columns in its place, as in [id, time, amount]"


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
