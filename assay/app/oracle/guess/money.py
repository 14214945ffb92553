"""Reads a column as amounts of money: its symbol, and the marks of its decimals and thousands."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import polars as pl

from assay.app.oracle.guess.columns import SampleColumn

Marks = tuple[str, str | None]

#: marks of decimals and of thousands, the usual ones first
_MARKS: Final[tuple[Marks, ...]] = (
    (".", None),
    (",", None),
    (".", ","),
    (",", "."),
    (".", "'"),
    (",", " "),
    (".", " "),
    (",", "\u00a0"),
    (",", "\u202f"),
)
_SYMBOL: Final = r"^(?P<before>[^0-9+.,-]*)(?P<sign>[+-]?)(?P<inner>[^0-9+.,-]*)[+-]?[0-9].*?(?P<after>[^0-9+.,-]*)$"


class Money(NamedTuple):
    """Amounts of the rows with a value. `marks`: declarations (decimal, thousands) that fit; several where they read other numbers."""

    numbers: pl.Series
    symbol: str | None
    marks: list[Marks]
    decimals: int

    @property
    def sure(self) -> bool:
        """Whether only one way to read the numbers fits."""
        return len(self.marks) == 1


def money_of(column: SampleColumn) -> Money | None:
    """The amounts of a column; None where it does not hold numbers of money."""
    if not column.plain or not column.known or column.dtype == pl.Boolean or column.dtype.is_temporal():
        return None
    if column.numbers is not None:
        return _plain(column, column.numbers)
    if column.dtype != pl.String:
        return None
    symbol = _symbol(column.text)
    text = column.text
    if symbol is not None:
        found = re.escape(symbol)
        text = text.str.replace(rf"^([+-]?)\s*{found}\s*([+-]?)", "${1}${2}").str.replace(rf"\s*{found}$", "")
    read = {marks: numbers for marks in _MARKS if (numbers := _numbers(text, *marks)) is not None}
    if not read:
        return None
    best = next(iter(read))
    others = [marks for marks, numbers in read.items() if not numbers.equals(read[best])]
    kept = _told_apart([best, *others], text)
    return Money(read[best], symbol, kept, _decimals(text, best[0]))


def _plain(column: SampleColumn, numbers: pl.Series) -> Money:
    marks: list[Marks] = [(".", None)]
    if column.dtype == pl.String and column.text.str.contains(r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$").any():
        marks = _told_apart([(".", None), (",", ".")] if _numbers(column.text, ",", ".") is not None else marks, column.text)
    return Money(numbers, None, marks, _decimals(column.text, "."))


def _told_apart(marks: list[Marks], text: pl.Series) -> list[Marks]:
    """Without thousands where a number such as 0.500 or 1000.500 can only have decimals."""
    if len(marks) > 1 and text.str.contains(r"^[+-]?(?:0[0-9]*|[0-9]{4,})[.,][0-9]{3}$").any():
        return marks[:1]
    return marks


def _numbers(text: pl.Series, decimal: str, thousands: str | None) -> pl.Series | None:
    whole = r"[0-9]+" if thousands is None else rf"(?:[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)"
    if not text.str.contains(rf"^[+-]?{whole}(?:{re.escape(decimal)}[0-9]+)?$").all():
        return None
    plain = text if thousands is None else text.str.replace_all(thousands, "", literal=True)
    return plain.str.replace(decimal, ".", literal=True).cast(pl.Float64)


def _decimals(text: pl.Series, decimal: str) -> int:
    """The most decimals that a number needs."""
    fraction = text.str.extract(rf"{re.escape(decimal)}([0-9]+?)0*$").str.len_bytes().max()
    return int(fraction) if isinstance(fraction, int) else 0


def _symbol(text: pl.Series) -> str | None:
    """Text beside the number that all values have."""
    found = re.match(_SYMBOL, str(text[0]))
    if found is None:
        return None
    symbol = (found["before"] or found["inner"] or found["after"]).strip()
    if not symbol or not text.str.contains(symbol, literal=True).all():
        return None
    return symbol
