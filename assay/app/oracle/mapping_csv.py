"""The part of a mapping that says how a text file is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from assay.app.oracle.mapping_parts import Closed, Column

#: what YAML reads as null; whoever writes `nulls: [NULL]` means the word
_YAML_NULLS = ("NULL", "Null", "null", "~")


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


Character = Annotated[str, Field(min_length=1, max_length=1)]


class CsvForm(Closed):
    """How a text file is written. What is not given is as RFC 4180 has it; a file that is written otherwise is refused.

    `quote`: a character, or `none` where marks are plain text. `escape`: the character that stands before a quotation mark within a
    quoted field; equal to `quote` where marks are doubled. `multiline`: a quoted field may hold line breaks. `preamble`: lines before
    the header. `header`: `false` where the first line is a row, with the columns `column_1`, `column_2` and so on; or the names of the
    columns of such a file. `nulls`: words that mean nothing is known, in text columns of every kind of file. `trim`: blanks around
    values go.
    """

    later = frozenset({
        "separator", "decimal", "thousands", "quote", "escape", "encoding", "preamble", "multiline", "header", "nulls", "trim",
    })  # fmt: skip
    separator: Character | None = None
    decimal: Literal[".", ","] | None = None
    thousands: Character | None = None
    quote: Character | Literal["none"] | None = None
    escape: Character | None = None
    encoding: str | None = None
    preamble: Annotated[int, Field(ge=0)] | None = None
    multiline: bool | None = None
    header: Literal[False] | Annotated[tuple[Column, ...], Field(min_length=1, strict=False)] | None = None
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

    @model_validator(mode="after")
    def _columns_differ(self) -> CsvForm:
        if self.header and len(set(self.header)) < len(self.header):
            raise ValueError("'header' names a column twice")
        return self

    def names_of(self, first: Sequence[str]) -> list[str] | None:
        """The columns of a file whose first line, which has these fields, is a row; None where it is the header."""
        if self.header is None:
            return None
        return list(self.header) if self.header else [f"column_{number}" for number in range(1, len(first) + 1)]

    @property
    def quote_mark(self) -> str | None:
        """The quotation mark; None where the file has none."""
        return None if self.quote == "none" else self.quote or '"'
