"""Columns of a sample as its file has them: words, ids, numbers with and without a point, and values that are not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.app.oracle.draws import F64, I64, Draws

Mask = NDArray[np.bool_]
DAY_S = 86_400


class Sample(NamedTuple):
    """A file in the shape of a data set: its header line, how many rows it has unless somebody asks for others, and how it is made.

    `columns` gives the columns in the order of the header, written as they stand in the file; `marked` says that it wrote its quotation
    marks itself. `rows_max` is the number of rows of a sample that cannot have more.
    """

    header: str
    rows: int
    columns: Callable[[Draws, int], Sequence[pl.Series]]
    marked: bool = False
    rows_max: int | None = None

    def frame(self, rows: int, seed: int) -> pl.DataFrame:
        """The rows, their columns numbered: two may have one name, or none."""
        return pl.DataFrame([series.alias(str(at)) for at, series in enumerate(self.columns(Draws(seed), rows))])

    def text(self, rows: int, seed: int) -> str:
        """The file. The same rows and seed give the same text on every machine."""
        style: Any = "never" if self.marked else "necessary"
        return f"{self.header}\n{self.frame(rows, seed).write_csv(include_header=False, quote_style=style)}"


def words(choices: Sequence[str], index: I64) -> pl.Series:
    """A word per row."""
    return pl.Series(np.array(choices)[index], dtype=pl.String)


def named(form: str, *numbers: I64) -> pl.Series:
    """A form such as `C{}` with a number per row and mark."""
    frame = pl.DataFrame({str(at): one for at, one in enumerate(numbers)})
    return frame.select(pl.format(form, *frame.columns)).to_series()


def known(values: pl.Series, mask: Mask) -> pl.Series:
    """The values where the mask holds; nothing elsewhere."""
    return pl.select(pl.when(pl.Series(mask)).then(values)).to_series()


def flags(mask: Mask) -> pl.Series:
    """1 and 0."""
    return pl.Series(mask.astype(np.int64))


def point(hundredths: I64, scale: float = 100.0) -> pl.Series:
    """Numbers with a point, such as 181.0 and 9839.64."""
    return pl.Series(hundredths / scale)


def whole(numbers: I64) -> pl.Series:
    """Whole numbers as a column of floats has them: 315.0."""
    return pl.Series(numbers.astype(np.float64))


def rounded(values: F64, digits: int) -> pl.Series:
    """Floats with at most so many digits after the point."""
    return pl.Series(np.round(values, digits))


def some(draws: Draws, rows: int, share: float) -> Mask:
    """Rows by chance; at least the last of several, so that a small sample has one, too."""
    chosen: Mask = draws.uniform(rows) < share
    if rows > 1 and not chosen.any():
        chosen[-1] = True
    return chosen


def moments(draws: Draws, rows: int, end_s: int) -> I64:
    """Seconds from 0 to the end, in order."""
    return np.sort(draws.below(end_s, rows))


def cents(draws: Draws, rows: int, low: float, high: float) -> I64:
    """Amounts in hundredths between two in whole units, most of them small."""
    drawn: I64 = np.rint(100 * (low + (high - low) * draws.uniform(rows) * draws.uniform(rows) * draws.uniform(rows))).astype(np.int64)
    return drawn


def days(seconds: I64, begin: str, form: str) -> pl.Series:
    """Seconds since a day as text."""
    start = pl.Series([begin]).str.to_datetime("%Y-%m-%d", time_unit="us").dt.epoch("us").item()
    return pl.Series(start + seconds * 1_000_000).cast(pl.Datetime("us")).dt.strftime(form)
