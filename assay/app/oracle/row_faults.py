"""All kinds of faults of a file's rows at once: the first is found, its rows are left out, and the others are checked again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import polars as pl

from assay.app.oracle.refusing import ROW, RowsRefused
from assay.contracts.errors import Quarantine
from assay.contracts.visible import one_line

Found = TypeVar("Found")


class SeveralFaults(Quarantine):
    """A file with several kinds of faults: it speaks as the first of them; its remedy goes on with the others, a line each."""

    def __init__(self, faults: Sequence[Quarantine]) -> None:
        first, *others = faults
        further = [f"\n  also {one_line(str(fault))}" for fault in others]
        super().__init__(first.reason, first.what, where=first.where, remedy=first.remedy + "".join(further))


def sound_rows(frame: pl.DataFrame, check: Callable[[pl.DataFrame], Found]) -> tuple[Found, list[RowsRefused]]:
    """What `check` finds in the rows that have no fault, and the faults of the others; a row is named with its first one.

    Raises Quarantine for a fault of the whole file, and when no row is without fault: alone, or together with the faults of rows.
    """
    faults: list[RowsRefused] = []
    while True:
        try:
            return check(frame), faults
        except RowsRefused as fault:
            faults.append(fault)
            frame = frame.filter(~frame[ROW].is_in(fault.rows.implode()))
            if frame.is_empty():
                raise all_of(faults) from None
        except Quarantine as fault:
            if not faults:
                raise
            left = Quarantine(fault.reason, f"of the other rows: {fault.what}", where=fault.where, remedy=fault.remedy)
            raise all_of([*faults, left]) from None


def all_of(faults: Sequence[Quarantine]) -> Quarantine:
    """One refusal for all faults."""
    return faults[0] if len(faults) == 1 else SeveralFaults(faults)
