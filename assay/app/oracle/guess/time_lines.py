"""Lines of a mapping that say how a time is written, and the columns whose names speak of another time than that of the payment."""

from __future__ import annotations

from typing import Final, NamedTuple

import polars as pl

from assay.app.oracle.guess.columns import SampleColumn
from assay.app.oracle.guess.formats import Formats
from assay.app.oracle.guess.leaves import Leaf, leaf, todo

NOT_OF_PAYMENT: Final = (
    "birth", "dob", "born", "open", "opened", "expiry", "expires", "expiration", "valid", "until", "since", "updated", "modified", "last",
    "first", "prev", "previous", "current", "settled", "settlement", "valuta", "value", "exported", "loaded", "count", "request", "session",
    "length", "duration", "age",
)  # fmt: skip
_ZONE_ASK: Final = "an IANA name such as Europe/Berlin, or UTC"


class TimeGuess(NamedTuple):
    """A way to read a time: how well it fits, the lines of the mapping below `time` or `truth.time`, its columns first, and these columns.

    `day_only`: it has no time of day.
    """

    score: int
    leaves: list[Leaf]
    used: tuple[str, ...]
    day_only: bool = False


def zone_leaf(place: str, *columns: SampleColumn) -> Leaf:
    """The zone, as the name of a column says, or TODO."""
    if any(column.has("utc", "gmt") for column in columns):
        return leaf(f"{place}.zone", "UTC", "the name of the column says so")
    return todo(f"{place}.zone", "the times have no offset, and the file does not say where their clock stood", _ZONE_ASK)


def of_our_years(years: pl.Series) -> bool:
    """Whether all years are those of payments."""
    return bool(years.is_between(1990, 2100).all())


def format_leaf(place: str, found: Formats) -> Leaf:
    """The format, or TODO where the rows read fit several."""
    if len(found.forms) == 1:
        return leaf(f"{place}.format", found.forms[0], f"the only order of day, month and year that fits all rows read; {found.why}")
    return todo(
        f"{place}.format", f"the rows read fit {' and '.join(found.forms)}: is the day first, or the month?", " or ".join(found.forms)
    )
