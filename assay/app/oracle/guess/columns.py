"""A column of a sample: its values as text and as numbers, how many there are, and how often they repeat."""

from __future__ import annotations

from functools import cached_property

import polars as pl

from assay.app.oracle.guess.words import words
from assay.app.oracle.text_columns import NULL_WORDS

_NUMBER = r"^[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?$"
#: values that a reason shows
_SHOWN = 4


class SampleColumn:
    """The values of a column in the rows read; a word such as NULL and empty text are no values.

    `series`: as it is stored; all columns of a CSV are text.
    """

    def __init__(self, name: str, series: pl.Series) -> None:
        self.name, self.dtype, self.rows = name, series.dtype, len(series)
        self.words = words(name)
        self.series = series.alias("values")
        self.plain = not (series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object, pl.Duration))
        text = self.series.cast(pl.String) if self.plain else pl.Series("values", [], dtype=pl.String)
        stripped = text.str.strip_chars()
        self.padded = bool((text != stripped).any())
        word = stripped.str.to_lowercase().is_in(NULL_WORDS).fill_null(False)
        self.null_words = text.filter(word).unique().sort().to_list() if series.dtype == pl.String else []
        #: every row; null where nothing is known
        self.every = stripped.set(word | (stripped == "").fill_null(False), None)
        #: the values alone
        self.text = self.every.drop_nulls()

    @cached_property
    def known(self) -> int:
        """Rows with a value."""
        return len(self.text)

    @cached_property
    def distinct(self) -> int:
        """Different values."""
        return int(self.text.n_unique())

    @cached_property
    def numbers(self) -> pl.Series | None:
        """The values as numbers; None where not all are, or where there is none."""
        if not self.known or self.dtype == pl.Boolean or self.dtype.is_temporal() or not self.text.str.contains(_NUMBER).all():
            return None
        return self.text.cast(pl.Float64)

    @cached_property
    def whole(self) -> bool:
        """Whether all values are whole numbers."""
        return self.numbers is not None and bool((self.numbers == self.numbers.floor()).all())

    @cached_property
    def counts(self) -> list[tuple[str, int]]:
        """Values and their rows, the most frequent first."""
        frame = self.text.value_counts().sort("count", "values", descending=[True, False])
        return [(str(value), int(count)) for value, count in frame.rows()]

    @cached_property
    def longest(self) -> int:
        """Characters of the longest value."""
        return max(self.text.str.len_chars().to_list(), default=0)

    @property
    def unique(self) -> bool:
        """Whether every row has a value that no other row has."""
        return self.known == self.rows > 0 and self.distinct == self.rows

    def has(self, *names: str) -> bool:
        """Whether the column's name has one of these words."""
        return not set(names).isdisjoint(self.words)

    def shown(self) -> str:
        """Some values, for a reason."""
        values = [value for value, _ in self.counts[:_SHOWN]]
        return ", ".join(values) + (", …" if len(self.counts) > _SHOWN else "")

    def said(self) -> str:
        """How many values of how many rows."""
        rows = "all" if self.known == self.rows else f"{self.known:,} of"
        return f"{self.distinct:,} value{'s' if self.distinct != 1 else ''} in {rows} {self.rows:,} rows read"
