"""Distributions as parameter documents write them: decimal texts, so that a table of quantiles is the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from assay.engine.quantiles import Table, lognormal


def _decimal(text: str) -> str:
    Decimal(text)
    return text


DecimalText = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$"), AfterValidator(_decimal)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Name = TypeVar("Name", bound=str)


class Block(BaseModel):
    """A part of a parameter document."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Lognormal(Block):
    """exp(mu + sigma · z), clipped to [low, high]."""

    mu: DecimalText
    sigma: DecimalText
    low: DecimalText
    high: DecimalText

    @property
    def table(self) -> Table:
        """Its quantiles."""
        return lognormal(self.mu, self.sigma, self.low, self.high)


def some_weight(weights: Mapping[Name, float]) -> Mapping[Name, float]:
    """At least one weight is above 0."""
    if not any(weights.values()):
        raise ValueError("no weight is above 0")
    return weights
