"""The part of a mapping that says where a time stands and how it is written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

import polars as pl
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from assay.app.oracle.mapping_parts import Closed, Column, Columns
from assay.contracts import instants
from assay.contracts.limits import EARLIEST

#: days that every month has
SHORTEST_MONTH = 28

#: marks of strptime that a format must not hold, and the remedy
_MARKS = {
    "%f": "a fraction of a second is '.%f', behind a point",
    "%Z": "the name of a zone is not read; use '%z' for offsets such as +02:00, or declare 'zone' and take the name out of the file",
    "%s": "for numbers since 1970 declare 'unit: s' instead of a format",
}


def _day(value: object) -> object:
    """YAML reads 1850-01-01 as a day, JSON keeps it as text."""
    text = value.isoformat() if isinstance(value, date) else value
    if isinstance(text, str):
        if len(text) != len("1850-01-01"):
            raise ValueError(f"{text!r} is not a day such as 1850-01-01")
        date.fromisoformat(text)
    return text


def _moment(value: object) -> object:
    """YAML reads 2024-01-01T00:00:00Z as a moment, JSON keeps it as text."""
    text = value.isoformat() if isinstance(value, datetime) else value
    if isinstance(text, str) and datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"{text!r} has no offset: write it as 2024-01-01T00:00:00Z")
    return text


def _format(form: str) -> str:
    """A format of strptime without the marks that are read as something else or skipped."""
    plain = form.replace("%%", "x")
    for mark, remedy in _MARKS.items():
        if mark in (plain.replace(".%f", "") if mark == "%f" else plain):
            raise ValueError(f"'{mark}' in the format '{form}': {remedy}")
    return form


Day = Annotated[str, BeforeValidator(_day)]
Moment = Annotated[str, BeforeValidator(_moment)]


class TimeColumn(Closed):
    """An instant, in one column or written over several (`columns`, joined by blanks).

    Naive times need `zone` (an IANA name), which numbers do not have; `ambiguous` says which is meant of a local time that occurs twice.
    `format` is a strptime format of other text than RFC 3339. Numbers need `unit`; they count from `origin` (RFC 3339; 1970 where it is
    not given). A `month` is one of the calendar, in whole numbers. A time before `earliest` (a day in UTC; EARLIEST where it is not
    given) is refused.
    """

    later = frozenset({"column", "columns", "format", "origin", "ambiguous", "earliest"})
    column: Column | None = None
    columns: Columns | None = None
    zone: str | None = None
    unit: Literal["s", "ms", "us", "ns", "min", "h", "d", "month"] | None = None
    format: Annotated[str, Field(min_length=1), AfterValidator(_format)] | None = None
    origin: Moment | None = None
    ambiguous: Literal["earliest", "latest", "refuse"] | None = None
    earliest: Day | None = None

    @model_validator(mode="after")
    def _stands_somewhere(self) -> TimeColumn:
        if (self.column is None) == (self.columns is None):
            raise ValueError("give either 'column' or 'columns'")
        if self.unit is not None and (self.columns is not None or self.format is not None):
            raise ValueError("'unit' is of numbers in one column; 'format' is of text")
        if self.columns is not None and self.format is None:
            raise ValueError("'columns' are joined by blanks; say how to read them in 'format', as in '%Y %m %d %H:%M'")
        if self.origin is not None and self.unit is None:
            raise ValueError("'origin' needs 'unit'")
        return self

    @model_validator(mode="after")
    def _every_month_has_the_day_of_the_origin(self) -> TimeColumn:
        if self.unit == "month" and datetime.fromisoformat(self.origin or "1970-01-01T00:00:00Z").day > SHORTEST_MONTH:
            raise ValueError(f"with 'unit: month', 'origin' is on one of the first {SHORTEST_MONTH} days of a month: others lack the day")
        return self

    @model_validator(mode="after")
    def _zone_is_of_local_times(self) -> TimeColumn:
        if self.unit is not None and self.zone is not None:
            raise ValueError(
                "'zone' is of written times; numbers with 'unit' count from 'origin', which has an offset of its own. Leave 'zone' out, "
                "or convert numbers of local time (Excel) into written times"
            )
        if self.ambiguous is not None and self.zone is None:
            raise ValueError("'ambiguous' needs 'zone'")
        return self

    @model_validator(mode="after")
    def _zone_exists(self) -> TimeColumn:
        if self.zone is not None:
            unknown = f"'{self.zone}' is not an IANA time zone"
            if not self.zone.strip():
                raise ValueError(unknown)
            try:
                pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(self.zone)
            except pl.exceptions.ComputeError:
                raise ValueError(unknown) from None
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return self.columns or (self.column or "",)

    @property
    def name(self) -> str:
        """The columns in a message."""
        return ", ".join(self.names)

    @property
    def origin_us(self) -> int:
        """Where numbers count from, in µs since 1970."""
        at = datetime.fromisoformat(self.origin or "1970-01-01T00:00:00Z")
        return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    @property
    def earliest_us(self) -> int:
        """The earliest time that is taken, in µs since 1970."""
        return instants.day_us(self.earliest or EARLIEST)
