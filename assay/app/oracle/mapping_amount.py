"""The part of a mapping that says where an amount stands and how it is written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.app.oracle.mapping_parts import Closed, Column
from assay.contracts.currencies import EXPONENT_MAX


class AmountColumn(Closed):
    """An amount in units of 10**-minor_unit_exponent: 2 where the minor unit is the cent; without it, each row has its currency's.

    It stands in `column`, or in `debit` and `credit`, of which each row has one; a credit counts as negative. `sign` says how payments
    are written: `positive` (which holds without it), `negative`, or `any`, which takes the sign away. `symbol` is text at either end.
    `unit` is `minor` where numbers count cents and their like, `major` (which holds without it) where they count euros.
    """

    later = frozenset({"column", "debit", "credit", "sign", "symbol", "unit", "minor_unit_exponent"})
    column: Column | None = None
    debit: Column | None = None
    credit: Column | None = None
    sign: Literal["positive", "negative", "any"] | None = None
    symbol: Annotated[str, Field(min_length=1, pattern=r"^[^0-9+.,-]+$")] | None = None
    unit: Literal["major", "minor"] | None = None
    minor_unit_exponent: Annotated[int, Field(ge=0, le=EXPONENT_MAX)] | None = None

    @model_validator(mode="after")
    def _stands_somewhere(self) -> AmountColumn:
        if (self.column is None) == (self.debit is None) or (self.debit is None) != (self.credit is None):
            raise ValueError("give either 'column', or 'debit' and 'credit'")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(name for name in (self.column, self.debit, self.credit) if name is not None)

    @property
    def name(self) -> str:
        """The columns in a message."""
        return ", ".join(self.names)
