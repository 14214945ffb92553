"""Parts of a mapping: columns and constants, time, amount, and the form of a text file."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Literal

import polars as pl
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from assay.contracts.currencies import EXPONENT_MAX
from assay.contracts.limits import LABEL_CHARS_MAX
from assay.contracts.texts import control_in

#: no payment of a file is older, unless its mapping says so: a wrong unit and a year of two digits end up before
EARLIEST = "1990-01-01"
#: what YAML reads as null; whoever writes `nulls: [NULL]` means the word
_YAML_NULLS = ("NULL", "Null", "null", "~")


def plain_text(text: str) -> str:
    """The text itself. Raises ValueError for one that the gate would not take."""
    control = control_in(text)
    if control is not None:
        raise ValueError(f"it holds the control character {control}")
    return text


def _day(value: object) -> object:
    """YAML reads 1850-01-01 as a day, JSON keeps it as text."""
    text = value.isoformat() if isinstance(value, date) else value
    if isinstance(text, str):
        if len(text) != len("1850-01-01"):
            raise ValueError(f"{text!r} is not a day such as 1850-01-01")
        date.fromisoformat(text)
    return text


def _null_words(value: object) -> object:
    """A list of words; YAML reads some of them as something else."""
    if not isinstance(value, list | tuple):
        return value
    words: list[object] = []
    for word in value:
        if isinstance(word, bool):
            raise ValueError(f"YAML reads a word as {str(word).lower()}: write it in quotation marks")  # noqa: TRY004  # pydantic catches no TypeError
        words += _YAML_NULLS if word is None else [str(word) if isinstance(word, int) else word]
    return words


Column = Annotated[str, Field(min_length=1)]
ShortText = Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX), AfterValidator(plain_text)]
Day = Annotated[str, BeforeValidator(_day)]


class Closed(BaseModel):
    """A part of a mapping; a key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    #: keys that came later: they are in the document where they are given, so that a mapping without them keeps its digest
    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _as_given(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = written(self)
        return {name: value for name, value in document.items() if value is not None or name not in self.later}


class TimeColumn(Closed):
    """An instant. Naive times need `zone` (an IANA name), integers since 1970 need `unit`.

    A time before `earliest` (a day in UTC; EARLIEST where it is not given) is refused.
    """

    later = frozenset({"earliest"})
    column: Column
    zone: str | None = None
    unit: Literal["s", "ms", "us", "ns"] | None = None
    earliest: Day | None = None

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
    def earliest_us(self) -> int:
        """The earliest time that is taken, in µs since 1970."""
        day = date.fromisoformat(self.earliest or EARLIEST)
        return (day - date(1970, 1, 1)).days * 86_400_000_000


class AmountColumn(Closed):
    """An amount in units of 10**-minor_unit_exponent: 2 where the minor unit is the cent.

    Without it, each row has the exponent of its currency.
    """

    later = frozenset({"minor_unit_exponent"})
    column: Column
    minor_unit_exponent: Annotated[int, Field(ge=0, le=EXPONENT_MAX)] | None = None


class Value(Closed):
    """One column, or the same value for every row."""

    column: Column | None = None
    constant: ShortText | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Value:
        if (self.column is None) == (self.constant is None):
            raise ValueError("give either 'column' or 'constant'")
        return self


Character = Annotated[str, Field(min_length=1, max_length=1)]


class CsvForm(Closed):
    """How a text file is written. What is not given is as RFC 4180 has it; a file that is written otherwise is refused.

    `quote`: a character, or `none` where marks are plain text. `escape`: the character that stands before a quotation mark within a
    quoted field; equal to `quote` where marks are doubled. `multiline`: a quoted field may hold line breaks. `preamble`: lines before
    the header. `nulls`: words that mean nothing is known, in text columns of every kind of file. `trim`: blanks around values go.
    """

    later = frozenset({"separator", "decimal", "thousands", "quote", "escape", "encoding", "preamble", "multiline", "nulls", "trim"})
    separator: Character | None = None
    decimal: Literal[".", ","] | None = None
    thousands: Character | None = None
    quote: Character | Literal["none"] | None = None
    escape: Character | None = None
    encoding: str | None = None
    preamble: Annotated[int, Field(ge=0)] | None = None
    multiline: bool | None = None
    nulls: Annotated[tuple[str, ...], Field(strict=False), BeforeValidator(_null_words)] | None = None
    trim: bool | None = None

    @model_validator(mode="after")
    def _characters_differ(self) -> CsvForm:
        for name in ("separator", "quote", "escape"):
            character = {"separator": self.separator, "quote": self.quote, "escape": self.escape}[name]
            if character is not None and (not character.isascii() or character in "\r\n\0"):
                raise ValueError(f"'{name}' must be an ASCII character that ends no line")
        if (self.separator or ",") in (self.quote_mark, self.escape):
            raise ValueError("'separator' must differ from 'quote' and 'escape'")
        if self.thousands is not None and (self.thousands == (self.decimal or ".") or self.thousands.isalnum() or self.thousands in "+-"):
            raise ValueError("'thousands' must differ from 'decimal' and be no digit, letter or sign")
        if self.quote_mark is None and self.escape is not None:
            raise ValueError("'escape' needs 'quote'")
        return self

    @model_validator(mode="after")
    def _encoding_exists(self) -> CsvForm:
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except LookupError:
                raise ValueError(f"'{self.encoding}' is not an encoding that Python knows") from None
        return self

    @property
    def quote_mark(self) -> str | None:
        """The quotation mark; None where the file has none."""
        return None if self.quote == "none" else self.quote or '"'
