"""Laws of counts (accounts of a party, instruments of an account …) as tables of running probabilities, made in decimal arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from assay.codecs.kernel import Int, frozen, kernel, part
from assay.engine.laws import Block, DecimalText
from assay.engine.philox import one

#: the largest cap of a law
CAP_MAX = 16
_DIGITS = 30
Table = NDArray[np.float64]


class CountLaw(Block):
    """`least`, and a count of this law above it, at most `cap` in all. `mean`: before the cap. `dispersion`: k of nb2."""

    law: Literal["bernoulli", "poisson", "nb2"]
    mean: DecimalText
    cap: Annotated[int, Field(ge=1, le=CAP_MAX)]
    least: Annotated[int, Field(ge=0)] = 0
    zero_inflation: DecimalText = "0"
    dispersion: DecimalText | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if Decimal(self.mean) < self.least or self.cap < self.least:
            raise ValueError("mean and cap are at least `least`")
        if not 0 <= Decimal(self.zero_inflation) < 1:
            raise ValueError("zero_inflation is at least 0 and below 1")
        if (self.law == "nb2") != (self.dispersion is not None) or Decimal(self.dispersion or 1) <= 0:
            raise ValueError("nb2 has a dispersion above 0, and no other law has one")
        if self.law == "bernoulli" and (self.cap != 1 or Decimal(self.mean) > 1):
            raise ValueError("bernoulli has a cap of 1 and a mean of at most 1")
        return self

    def running(self, factor: str = "1") -> list[float]:
        """P(count ≤ i) for i from 0 to `CAP_MAX`, with the mean times `factor` (at least `least`, at most what a bernoulli can have)."""
        with localcontext() as context:
            context.prec = _DIGITS
            above = max(Decimal(self.mean) * Decimal(factor) - self.least, Decimal(0))
            never = Decimal(self.zero_inflation)
            chances, total = self._chances(above / (1 - never)), Decimal(0)
            found = []
            for count in range(CAP_MAX + 1):
                if count >= self.least:
                    total += chances[count - self.least] * (1 - never) + (never if count == self.least else 0)
                found.append(1.0 if count >= self.cap else float(total))
        return found

    def _chances(self, mean: Decimal) -> list[Decimal]:
        """Probabilities of 0, 1, 2, …: those of the Poisson and of the NB2 law (mean, variance mean + mean² / k) by their recurrences."""
        if self.law == "bernoulli":
            share = min(mean, Decimal(1))
            return [1 - share, share, *[Decimal(0)] * CAP_MAX]
        if self.law == "poisson":
            chances = [(-mean).exp()]
            for count in range(CAP_MAX):
                chances.append(chances[-1] * mean / (count + 1))
            return chances
        k = Decimal(self.dispersion or 1)
        chances = [((k / (k + mean)).ln() * k).exp()]
        for count in range(CAP_MAX):
            chances.append(chances[-1] * (k + count) / (count + 1) * mean / (k + mean))
        return chances


def table_of(rows: Sequence[Sequence[float]]) -> Table:
    """Running probabilities of laws, a row each."""
    return frozen(np.array(rows, np.float64), np.float64)


def mean_of(running: Sequence[float]) -> float:
    """The mean of a law after its cap, from its running probabilities."""
    return float(sum(1.0 - chance for chance in running))


@part
def drawn_count(u: Any, table: Any, row: Int) -> Any:
    """The count of u in [0, 1) by a row of a table."""
    count = np.int64(0)
    while u >= table[row, count]:
        count += 1
    return count


@kernel
def draw_counts(key: Any, first: Int, laws: Any, table: Any, counts: Any) -> int:
    """Fill the count of each row, by its law: a row of the table. Returns their sum. `first`: rows of parts before this one."""
    total = 0
    for row in range(len(laws)):
        count = drawn_count(one(key, first + row, 0), table, laws[row])
        counts[row] = count
        total += count
    return total
