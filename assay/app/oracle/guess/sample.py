"""A sample of a file's rows: what the guess sees."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.leaves import Leaf


class Sample(NamedTuple):
    """Columns with their values, and how the file is written.

    `rows`: rows of the sample; `read`: in words, what was read of the file; `form`: lines for the mapping's `csv`.
    """

    columns: list[SampleColumn]
    rows: int
    read: str
    form: list[Leaf]

    def named(self, *names: str) -> list[SampleColumn]:
        """Columns whose name has one of these words."""
        return [column for column in self.columns if column.has(*names)]

    def without(self, used: set[str]) -> list[SampleColumn]:
        """Columns that are not used yet."""
        return [column for column in self.columns if column.name not in used]


def sample_of(frame: pl.DataFrame, read: str, form: list[Leaf]) -> Sample:
    """A sample of these rows."""
    return Sample([SampleColumn(series.name, series) for series in frame.iter_columns()], len(frame), read, form)
