"""Guesses where the time of a payment stands, how it is written, and from where its numbers count."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

import polars as pl

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.formats import Formats, clock_format, formats_of
from assay.app.oracle.guess.leaves import Leaf, Part, leaf, listed, todo
from assay.app.oracle.guess.sample import Sample
from assay.app.oracle.time_faults import WRITTEN

_TIME: Final = (
    "time", "date", "datetime", "timestamp", "ts", "at", "when", "dt", "booked", "posted", "created", "paid", "unix", "epoch",
    "datum", "zeit", "buchungstag", "fecha", "data", "hora", "uhrzeit",
)  # fmt: skip
_COUNTED: Final = ("time", "step", "dt", "day", "days", "hour", "hours", "month", "minute", "minutes", "second", "seconds", "ts", "week")
_NOT_OF_PAYMENT: Final = (
    "birth", "dob", "born", "open", "opened", "expiry", "expires", "expiration", "valid", "until", "since", "updated", "modified", "last",
    "first", "prev", "previous", "current", "settled", "settlement", "valuta", "value", "exported", "loaded", "count", "request", "session",
    "length", "duration", "age",
)  # fmt: skip
_TOLD: Final = (
    "investigated", "investigation", "reported", "report", "chargeback", "dispute", "disputed", "label", "labelled", "labeled", "confirmed",
    "detected", "fraud", "closed", "resolved",
)  # fmt: skip
#: seconds since 1970 of 1990-01-01 and 2100-01-01
_FROM_S, _TO_S = 631_152_000, 4_102_444_800
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_UNIT_WORDS: Final = {
    "month": ("month", "months"),
    "s": ("second", "seconds", "sec", "secs"),
    "min": ("minute", "minutes", "min"),
    "h": ("hour", "hours"),
    "d": ("day", "days"),
}
_ZONE_ASK: Final = "an IANA name such as Europe/Berlin, or UTC"


class TimeGuess(NamedTuple):
    """A way to read a time: how well it fits, the lines of the mapping below `time` or `truth.time`, and its columns."""

    score: int
    leaves: list[Leaf]
    used: tuple[str, ...]


def time_of(sample: Sample, used: set[str]) -> Part:
    """The time of the payments."""
    columns = [column for column in sample.without(used) if column.plain and not column.has(*_TOLD)]
    found = [*_parted(columns, sample.rows), *(one for column in columns if (one := reading(column, "time")) is not None)]
    if not found:
        why = "no column has a time that is known by its form or its name"
        return Part([todo("time.column", why, "the column with the time of the payment")])
    best = max(found, key=lambda one: one.score)
    others = [one.used[0] for one in found if not set(one.used) & set(best.used) and one.score > 2]
    notes = (f"{listed(others)} could be the time, too; '{listed(best.used)}' fits best",) if others else ()
    return Part(best.leaves, best.used, notes)


def told_time_of(sample: Sample, used: set[str], label: SampleColumn) -> Part | None:
    """The time of the labels: a column whose name speaks of an investigation, with a time wherever there is a label."""
    for column in sample.without(used):
        if not (column.plain and column.has(*_TOLD) and column.has(*_TIME, "ms", "us", "day")):
            continue
        found = reading(column, "truth.time")
        if found is not None and column.every.is_not_null().equals(label.every.is_not_null()):
            return Part(found.leaves, found.used)
    return None


def looks_told(column: SampleColumn) -> bool:
    """Whether a column's name speaks of what is known later."""
    return column.has(*_TOLD)


def reading(column: SampleColumn, place: str) -> TimeGuess | None:
    """How a column's values are times; None where they are none."""
    named = (3 if column.has(*_TIME) else 0) - (6 if column.has(*_NOT_OF_PAYMENT) else 0)
    if isinstance(column.dtype, pl.Datetime):
        zoned = column.dtype.time_zone is not None
        leaves = [leaf(f"{place}.column", column.name, _seen("a column of times", column))]
        return TimeGuess(7 + named, leaves if zoned else [*leaves, _zone(place, column)], (column.name,))
    if column.dtype == pl.Date:
        seen = leaf(f"{place}.column", column.name, _seen("a column of days", column))
        form = leaf(f"{place}.format", "%Y-%m-%d", "days; their payments stand at their beginning")
        return TimeGuess(4 + named, [seen, form, _zone(place, column)], (column.name,))
    if column.numbers is not None:
        return _counted(column, place, named)
    return _written(column, place, named)


def _zone(place: str, *columns: SampleColumn) -> Leaf:
    if any(column.has("utc", "gmt") for column in columns):
        return leaf(f"{place}.zone", "UTC", "the name of the column says so")
    return todo(f"{place}.zone", "the times have no offset, and the file does not say where their clock stood", _ZONE_ASK)


def _seen(what: str, column: SampleColumn) -> str:
    values = column.text.sort()
    return f"{what}, from {values[0]} to {values[-1]}"


def _written(column: SampleColumn, place: str, named: int) -> TimeGuess | None:
    if not column.known or column.dtype != pl.String:
        return None
    if column.text.str.contains(WRITTEN).all() and _of_our_years(column.text.str.slice(0, 4).cast(pl.Int64, strict=False)):
        seen = leaf(f"{place}.column", column.name, _seen("written times", column))
        offset = column.text.str.contains(r"([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$") & column.text.str.contains(r"[0-9]:[0-9]{2}")
        aware = bool((offset & column.text.str.slice(10).str.contains(r"[Zz+-]")).all())
        return TimeGuess(6 + named, [seen] if aware else [seen, _zone(place, column)], (column.name,))
    found = formats_of(column.text)
    if found is None:
        return None
    leaves = [leaf(f"{place}.column", column.name, f"times such as {column.text[0]}"), format_leaf(place, found)]
    return TimeGuess((5 if found.clock else 3) + named, leaves if found.offset else [*leaves, _zone(place, column)], (column.name,))


def _of_our_years(years: pl.Series) -> bool:
    return bool(years.is_between(1990, 2100).all())


def format_leaf(place: str, found: Formats) -> Leaf:
    """The format, or TODO where the rows read fit several."""
    if len(found.forms) == 1:
        return leaf(f"{place}.format", found.forms[0], f"the only order of day, month and year that fits all rows read; {found.why}")
    return todo(
        f"{place}.format", f"the rows read fit {' and '.join(found.forms)}: is the day first, or the month?", " or ".join(found.forms)
    )


def _counted(column: SampleColumn, place: str, named: int) -> TimeGuess | None:
    numbers = column.numbers
    assert numbers is not None
    least, most = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]  # of numbers
    if not column.has(*_TIME, *_COUNTED, "ms", "us", "ns"):
        return None
    for unit, per_second in _PER_SECOND.items():
        if _FROM_S * per_second <= least and most <= _TO_S * per_second:
            first, last = (datetime.fromtimestamp(value / per_second, UTC).date() for value in (least, most))
            leaves = [
                leaf(f"{place}.column", column.name, "whole numbers of the size of a time since 1970"),
                leaf(f"{place}.unit", unit, f"as such numbers of {unit} they are from {first} to {last}"),
            ]
            return TimeGuess(4 + named, leaves, (column.name,))
    if column.whole and (found := formats_of(column.text)) is not None:
        seen = leaf(f"{place}.column", column.name, f"days such as {column.text[0]}")
        return TimeGuess(3 + named, [seen, format_leaf(place, found), _zone(place, column)], (column.name,))
    if least < 0 or not column.has(*_COUNTED) or column.has(*_NOT_OF_PAYMENT):
        return None
    leaves = [leaf(f"{place}.column", column.name, f"numbers from {least:,.10g} to {most:,.10g}, and the name of the column")]
    return TimeGuess(2 if len(column.words) == 1 else 1, [*leaves, _unit(column, place, most - least), _origin(place)], (column.name,))


def _unit(column: SampleColumn, place: str, width: float) -> Leaf:
    for unit, names in _UNIT_WORDS.items():
        if column.has(*names):
            return leaf(f"{place}.unit", unit, "the name of the column says so")
    spans = ", ".join(f"{width * seconds / 86_400:,.4g} days if {unit}" for unit, seconds in _SECONDS.items())
    why = f"the file does not say what its numbers count; the rows read span {spans}"
    return todo(f"{place}.unit", why, "s, ms, us, ns, min, h, d or month")


def _origin(place: str) -> Leaf:
    return todo(f"{place}.origin", "the file does not say from when its numbers count", "a time such as 2024-01-01T00:00:00Z")


def _parted(columns: list[SampleColumn], rows: int) -> list[TimeGuess]:
    """A date and a time of day in columns of their own; year, month and day in columns of their own."""
    clocks = [(column, form) for column in columns if column.dtype == pl.String and (form := clock_format(column.text)) is not None]
    found = []
    years, months, days = ([column for column in columns if column.words == (word,) and column.whole] for word in ("year", "month", "day"))
    if years and months and days and _of_our_years(years[0].text.cast(pl.Int64, strict=False)):
        parts, form = [years[0], months[0], days[0]], "%Y %m %d"
        if clocks:
            parts, form = [*parts, clocks[0][0]], f"{form} {clocks[0][1]}"
        found.append(_joined(parts, form, 9))
    elif clocks:
        clock, clock_form = clocks[0]
        for column in columns:
            dates = formats_of(column.text) if column.dtype == pl.String and column is not clock else None
            if dates is not None and not dates.clock and not column.has(*_NOT_OF_PAYMENT):
                formats = Formats([f"{form} {clock_form}" for form in dates.forms], clock=True, offset=False, why=dates.why)
                found.append(_joined([column, clock], formats, 8))
    return found


def _joined(parts: list[SampleColumn], form: str | Formats, score: int) -> TimeGuess:
    names = [column.name for column in parts]
    seen = leaf("time.columns", names, "their values together are a time: " + " ".join(str(column.text[0]) for column in parts))
    how = format_leaf("time", form) if isinstance(form, Formats) else leaf("time.format", form, "how they stand, joined by blanks")
    return TimeGuess(score, [seen, how, _zone("time", *parts)], tuple(names))
