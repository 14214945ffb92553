"""The part of a mapping that tells the truth: where it stands, which values mean fraud, and when somebody knows it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from assay.app.oracle.mapping_parts import Closed, Column, ShortText, Values
from assay.app.oracle.mapping_time import TimeColumn
from assay.contracts import instants

#: in place of the values that mean fraud: any value does
NOT_NULL: Final = "not null"
#: names that a world's truth has for itself
_TRUTH_ITSELF = {"label", "observed_ts_us"}


class Truth(Closed):
    """Where truth stands and when somebody knows it: at `time` (a column of its own), or a delay after the payment.

    `column` equal to one of `positive` means FRAUD, null means that nobody knows, anything else LEGIT; with `negative`, a value
    of neither list is refused. `positive: not null`: any value means FRAUD, none LEGIT, as in a column with the days of disputes.
    `emit` says which labels become label assertions. `also` names further truth columns: they are kept beside the labels and refused
    wherever a live row would carry them.
    """

    later = frozenset({"negative"})
    column: Column
    positive: Values | Literal["not null"]
    negative: Values | None = None
    time: TimeColumn | None = None
    delay: str | None = None
    emit: Literal["positive", "all"] = "positive"
    source: ShortText = "world_truth"
    also: Annotated[tuple[Column, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _known_later(self) -> Truth:
        if (self.time is None) == (self.delay is None):
            raise ValueError("give either 'time' (a column) or 'delay' (for example 7d)")
        if self.positive == NOT_NULL and self.negative is not None:
            raise ValueError("'negative' says nothing beside 'positive: not null'")
        if len({*self.also, *_TRUTH_ITSELF}) != len(self.also) + len(_TRUTH_ITSELF):
            raise ValueError(f"'also' names a column twice, or one called {' or '.join(sorted(_TRUTH_ITSELF))}: rename it in the file")
        if self.delay is not None and instants.duration_us(self.delay) <= 0:
            raise ValueError("'delay' must be more than nothing: truth is known after the payment")
        return self

    @property
    def listed(self) -> tuple[str | int | bool, ...]:
        """The values of both lists."""
        return (*(() if isinstance(self.positive, str) else self.positive), *(self.negative or ()))

    @property
    def delay_us(self) -> int | None:
        """The delay in µs; None where labels have a time of their own."""
        return None if self.delay is None else instants.duration_us(self.delay)

    def columns(self) -> set[str]:
        """Every column that tells the truth."""
        return {self.column, *self.also} | set(self.time.names if self.time else ())
