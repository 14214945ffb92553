"""Guesses where the time of a payment stands, how it is written, and from where its numbers count."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Final

import polars as pl

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.formats import digits_forms, formats_of
from assay.app.oracle.guess.leaves import Leaf, Part, leaf, listed, todo
from assay.app.oracle.guess.parted_times import clock_beside, parted
from assay.app.oracle.guess.sample import Sample
from assay.app.oracle.guess.time_lines import NOT_OF_PAYMENT, TimeGuess, format_leaf, of_our_years, zone_leaf
from assay.app.oracle.time_faults import WRITTEN

_TIME: Final = (
    "time", "date", "datetime", "timestamp", "ts", "at", "when", "dt", "booked", "posted", "created", "paid", "unix", "epoch",
    "datum", "zeit", "buchungstag", "fecha", "data", "hora", "uhrzeit",
)  # fmt: skip
_COUNTED: Final = ("time", "step", "dt", "day", "days", "hour", "hours", "month", "minute", "minutes", "second", "seconds", "ts", "week")
_TOLD: Final = (
    "investigated", "investigation", "reported", "report", "chargeback", "dispute", "disputed", "label", "labelled", "labeled", "confirmed",
    "detected", "fraud", "closed", "resolved",
)  # fmt: skip
#: seconds since 1970 of 1990-01-01 and 2100-01-01
_FROM_S, _TO_S = 631_152_000, 4_102_444_800
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_MIDNIGHT: Final = r"[T ](?:0?0:00(?::00(?:\.0+)?)?|12:00(?::00)? ?[Aa][Mm])(?:Z| ?[+-][0-9:]+)?$"
_UNIT_WORDS: Final = {
    "month": ("month", "months"),
    "s": ("second", "seconds", "sec", "secs"),
    "min": ("minute", "minutes", "min"),
    "h": ("hour", "hours"),
    "d": ("day", "days"),
}


def time_of(sample: Sample, used: set[str]) -> Part:
    """The time of the payments."""
    columns = [column for column in sample.without(used) if column.plain and not column.has(*_TOLD)]
    found = [*parted(columns), *(one for column in columns if (one := reading(column, "time")) is not None)]
    if not found:
        why = "no column has a time that is known by its form or its name"
        return Part([todo("time.column", why, "the column with the time of the payment")])
    best = max(found, key=lambda one: (one.score, not one.day_only))
    others = [*dict.fromkeys(one.used[0] for one in found if not set(one.used) & set(best.used) and one.score > 2)]
    notes = (f"{listed(others)} could be the time, too; '{listed(best.used)}' fits best",) if others else ()
    return _checked(Part(best.leaves, best.used, notes), columns) if best.day_only else Part(best.leaves, best.used, notes)


def _checked(days: Part, columns: list[SampleColumn]) -> Part:
    """Days, or TODO where another column may be their time of day."""
    name = listed(days.used)
    clock = clock_beside([column for column in columns if column.name not in days.used])
    if clock is None:
        return days._replace(notes=(*days.notes, f"'{name}' has no time of day: all payments of a day stand at its beginning"))
    why = f"'{name}' has no time of day; '{clock.name}' ({clock.shown()}) may be it, in a form that is not read as it stands"
    ask = f"{name}, if payments without a time of day are right; otherwise one column with both, written before the import"
    return days._replace(leaves=[todo(days.leaves[0].place, why, ask), *days.leaves[1:]])


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
    named = (3 if column.has(*_TIME) else 0) - (6 if column.has(*NOT_OF_PAYMENT) else 0)
    if isinstance(column.dtype, pl.Datetime):
        zoned = column.dtype.time_zone is not None
        leaves = [leaf(f"{place}.column", column.name, _seen("a column of times", column))]
        midnight = bool((column.series.drop_nulls().dt.time() == time(0)).all())
        return TimeGuess(7 + named, leaves if zoned else [*leaves, zone_leaf(place, column)], (column.name,), midnight)
    if column.dtype == pl.Date:
        seen = leaf(f"{place}.column", column.name, _seen("a column of days", column))
        form = leaf(f"{place}.format", "%Y-%m-%d", "days; their payments stand at their beginning")
        return TimeGuess(4 + named, [seen, form, zone_leaf(place, column)], (column.name,), day_only=True)
    if column.numbers is not None:
        return _counted(column, place, named)
    return _written(column, place, named)


def _seen(what: str, column: SampleColumn) -> str:
    values = column.text.sort()
    return f"{what}, from {values[0]} to {values[-1]}"


def _written(column: SampleColumn, place: str, named: int) -> TimeGuess | None:
    if not column.known or column.dtype != pl.String:
        return None
    if column.text.str.contains(WRITTEN).all() and of_our_years(column.text.str.slice(0, 4).cast(pl.Int64, strict=False)):
        seen = leaf(f"{place}.column", column.name, _seen("written times", column))
        offset = column.text.str.contains(r"([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$") & column.text.str.contains(r"[0-9]:[0-9]{2}")
        aware = bool((offset & column.text.str.slice(10).str.contains(r"[Zz+-]")).all())
        midnight = bool(column.text.str.contains(_MIDNIGHT).all())
        return TimeGuess(6 + named, [seen] if aware else [seen, zone_leaf(place, column)], (column.name,), midnight)
    found = formats_of(column.text)
    if found is None:
        return None
    leaves = [leaf(f"{place}.column", column.name, f"times such as {column.text[0]}"), format_leaf(place, found)]
    midnight = not found.clock or bool(column.text.str.contains(_MIDNIGHT).all())
    lines = leaves if found.offset else [*leaves, zone_leaf(place, column)]
    return TimeGuess((5 if found.clock else 3) + named, lines, (column.name,), midnight)


def _counted(column: SampleColumn, place: str, named: int) -> TimeGuess | None:
    numbers = column.numbers
    assert numbers is not None
    least, most = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]  # of numbers
    if not column.has(*_TIME, *_COUNTED, "ms", "us", "ns"):
        return None
    for unit, per_second in _PER_SECOND.items():
        if _FROM_S * per_second <= least and most <= _TO_S * per_second:
            first, last = (datetime.fromtimestamp(value / per_second, UTC).date() for value in (least, most))
            size, why = "whole numbers of the size of a time since 1970", f"as such numbers of {unit} they are from {first} to {last}"
            forms = digits_forms(column.text)
            how = leaf(f"{place}.unit", unit, why) if not forms else _written_digits(place, unit, why, forms)
            leaves = [leaf(f"{place}.column", column.name, size), how]
            return TimeGuess(4 + named, leaves, (column.name,))
    if column.whole and (found := formats_of(column.text)) is not None:
        seen = leaf(f"{place}.column", column.name, f"days such as {column.text[0]}")
        return TimeGuess(3 + named, [seen, format_leaf(place, found), zone_leaf(place, column)], (column.name,), not found.clock)
    if least < 0 or not column.has(*_COUNTED) or column.has(*NOT_OF_PAYMENT):
        return None
    leaves = [leaf(f"{place}.column", column.name, f"numbers from {least:,.10g} to {most:,.10g}, and the name of the column")]
    return TimeGuess(2 if len(column.words) == 1 else 1, [*leaves, _unit(column, place, most - least), _origin(place)], (column.name,))


def _written_digits(place: str, unit: str, why: str, forms: list[str]) -> Leaf:
    """TODO for numbers that may be counted or may be digits of a date and a time of day."""
    ask = f"{unit}, if they count from 1970; otherwise write {place}.format in place of {place}.unit, and the zone"
    return todo(f"{place}.unit", f"{why}, but their digits fit {' and '.join(forms)}, too", ask)


def _unit(column: SampleColumn, place: str, width: float) -> Leaf:
    for unit, names in _UNIT_WORDS.items():
        if column.has(*names):
            return leaf(f"{place}.unit", unit, "the name of the column says so")
    spans = ", ".join(f"{width * seconds / 86_400:,.4g} days if {unit}" for unit, seconds in _SECONDS.items())
    why = f"the file does not say what its numbers count; the rows read span {spans}"
    return todo(f"{place}.unit", why, "s, ms, us, ns, min, h, d or month")


def _origin(place: str) -> Leaf:
    return todo(f"{place}.origin", "the file does not say from when its numbers count", "a time such as 2024-01-01T00:00:00Z")
