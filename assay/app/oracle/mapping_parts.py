"""Parts of a mapping: names of columns, values, ids, and the rows that are taken."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from assay.contracts.limits import LABEL_CHARS_MAX
from assay.contracts.texts import control_in


def plain_text(text: str) -> str:
    """The text itself. Raises ValueError for one that the gate would not take."""
    control = control_in(text)
    if control is not None:
        raise ValueError(f"it holds the control character {control}")
    return text


Column = Annotated[str, Field(min_length=1)]
ShortText = Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX), AfterValidator(plain_text)]
Columns = Annotated[tuple[Column, ...], Field(min_length=1, strict=False)]
FilterValues = Annotated[tuple[str | int | bool | None, ...], Field(min_length=1, strict=False)]
Values = Annotated[tuple[str | int | bool, ...], Field(min_length=1, strict=False)]


class Closed(BaseModel):
    """A part of a mapping; a key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    #: keys that came later: they are in the document where they are given, so that a mapping without them keeps its digest
    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _as_given(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = written(self)
        return {name: value for name, value in document.items() if value is not None or name not in self.later}


class Value(Closed):
    """One column, or the same value for every row."""

    column: Column | None = None
    constant: ShortText | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Value:
        if (self.column is None) == (self.constant is None):
            raise ValueError("give either 'column' or 'constant'")
        return self


class IdColumns(Closed):
    """A payment's id: several `columns` together, or (`row: true`) the number of its row in the file."""

    later = frozenset({"columns", "row"})
    columns: Columns | None = None
    row: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> IdColumns:
        if (self.columns is None) == (self.row is None):
            raise ValueError("give either 'columns' or 'row: true'")
        return self


class ColumnPattern(Closed):
    """All columns of the file whose names fit and that the mapping uses nowhere else. `*` stands for any text, `?` for one character."""

    pattern: ShortText

    def fits(self, name: str) -> bool:
        """Whether a column's name fits."""
        parts = {"*": ".*", "?": "."}
        return re.fullmatch("".join(parts.get(letter, re.escape(letter)) for letter in self.pattern), name, re.DOTALL) is not None


class RowFilter(Closed):
    """Rows that are taken: whose `column` holds a value of `keep`, or none of `drop`. Null in a list is a row without a value.

    With both, every value has to be in one of them.
    """

    later = frozenset({"keep", "drop"})
    column: Column
    keep: FilterValues | None = None
    drop: FilterValues | None = None

    @model_validator(mode="after")
    def _one_of(self) -> RowFilter:
        if self.keep is None and self.drop is None:
            raise ValueError("give 'keep', 'drop' or both")
        return self
