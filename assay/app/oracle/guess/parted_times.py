"""Guesses times whose parts stand in columns of their own: a date and a time of day; a year, a month and a day."""

from __future__ import annotations

from typing import Final

import polars as pl

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.formats import Formats, clock_format, digits_clock, formats_of
from assay.app.oracle.guess.leaves import leaf, listed, todo
from assay.app.oracle.guess.time_lines import NOT_OF_PAYMENT, TimeGuess, format_leaf, of_our_years, zone_leaf

Clock = tuple[SampleColumn, str]

_CLOCK_WORDS: Final = ("time", "hour", "hours", "hr", "uhrzeit", "zeit", "hora", "heure", "clock", "tod", "hhmm", "hhmmss", "minute")
#: words that a date and its time of day need not share
_OWN_WORDS: Final = frozenset({*_CLOCK_WORDS, "date", "day", "datum", "fecha", "data", "dt", "tag", "year", "month"})
#: words of a time of day that is that of the payment
_PAYMENT: Final = frozenset(
    {"transaction", "trans", "trx", "txn", "tx", "payment", "pay", "purchase", "booking", "local", "utc", "gmt", "of"}
)
#: the end of numbers that may be times of day
_DAY_END: Final = 240_000


def parted(columns: list[SampleColumn]) -> list[TimeGuess]:
    """The ways to read several columns as one time."""
    open_ = [column for column in columns if not column.has(*NOT_OF_PAYMENT)]
    clocks = [(column, form) for column in open_ if (form := _form_of_day(column)) is not None]
    years, months, days = ([column for column in columns if column.words == (word,) and column.whole] for word in ("year", "month", "day"))
    if years and months and days and of_our_years(years[0].text.cast(pl.Int64, strict=False)):
        return [_with_clock([years[0], months[0], days[0]], ["%Y %m %d"], "", clocks, 9)]
    dated = [(column, found) for column in open_ if (found := _dates(column, clocks)) is not None]
    alike = [one for one in dated if any(_further(one[0]) == _further(clock) for clock, _ in clocks)]
    return [_with_clock([column], found.forms, found.why, clocks, 8) for column, found in alike or dated]


def clock_beside(columns: list[SampleColumn]) -> SampleColumn | None:
    """A column that may be the time of day of a date, by its form, or by its name and its numbers."""
    for column in columns:
        if not column.plain or not column.known or column.has(*NOT_OF_PAYMENT):
            continue
        if column.dtype == pl.Time or (column.dtype == pl.String and clock_format(column.text) is not None):
            return column
        numbers = column.numbers
        if column.has(*_CLOCK_WORDS) and numbers is not None and bool(((numbers >= 0) & (numbers < _DAY_END)).all()):
            return column
    return None


def _form_of_day(column: SampleColumn) -> str | None:
    """The format of a column with times of day that the import reads; None for other columns."""
    if column.dtype == pl.Time:
        return "%H:%M:%S" if column.known and not (column.series.dt.nanosecond() != 0).any() else None
    if column.dtype != pl.String:
        return None
    return clock_format(column.text) or (digits_clock(column.text) if column.has(*_CLOCK_WORDS) else None)


def _dates(column: SampleColumn, clocks: list[Clock]) -> Formats | None:
    """The formats of a column of days."""
    if not clocks or column in [clock for clock, _ in clocks]:
        return None
    if column.dtype == pl.Date:
        return Formats(["%Y-%m-%d"], clock=False, offset=False, why="a column of days")
    found = formats_of(column.text) if column.dtype == pl.String or column.dtype.is_integer() else None
    return None if found is None or found.clock else found


def _with_clock(parts: list[SampleColumn], forms: list[str], why: str, clocks: list[Clock], score: int) -> TimeGuess:
    """The columns with the time of day that is theirs; TODO where it may be one of several."""
    alike = [one for one in clocks if _further(one[0]) == _further(parts[0])]
    own = alike or [one for one in clocks if _further(one[0]) <= _PAYMENT]
    chosen = (own or clocks)[:1]
    columns, form = [*parts, *(column for column, _ in chosen)], "".join(form for _, form in chosen)
    names = [column.name for column in columns]
    formats = Formats([f"{date} {form}".strip() for date in forms], clock=bool(form), offset=False, why=why)
    seen = leaf("time.columns", names, "their values together are a time: " + " ".join(str(column.text[0]) for column in columns))
    if clocks and len(own) != 1:
        several = listed([column.name for column, _ in clocks])
        what = f"times of day stand in {several}; the names do not tell which is that of '{listed([part.name for part in parts])}'"
        seen = todo("time.columns", what, f"the columns of the date and its time of day, such as [{', '.join(names)}]")
    how = format_leaf("time", formats) if why else leaf("time.format", formats.forms[0], "how they stand, joined by blanks")
    return TimeGuess(score, [seen, how, zone_leaf("time", *columns)], tuple(names), not chosen)


def _further(column: SampleColumn) -> set[str]:
    """The words of a name that say of what the time is."""
    return set(column.words) - _OWN_WORDS
