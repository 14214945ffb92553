"""The values that a feature can have, known from its operation: as wide as the operation allows, whatever the payments are."""

from __future__ import annotations

import math
from typing import NamedTuple

from assay.contracts.limits import AMOUNT_MINOR_END
from assay.tables.feature_document import Feature, FeatureDocument


class Range(NamedTuple):
    """All numbers from `low` to `high`; an open end is not among them. `whole`: whole numbers only."""

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False
    whole: bool = False

    @property
    def empty(self) -> bool:
        """Whether no number is in it."""
        low, high = self.low, self.high
        if not self.whole or math.inf in (abs(low), abs(high)):
            return low > high or (low == high and (self.low_open or self.high_open))
        first = math.floor(low) + 1 if self.low_open else math.ceil(low)
        last = math.ceil(high) - 1 if self.high_open else math.floor(high)
        return first > last

    def within(self, other: Range) -> Range:
        """The numbers that are in both."""
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, closed = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Range(low, high, low_open, not closed, self.whole or other.whole)

    def times(self, other: Range) -> Range:
        """The products of a number of each; ends count as reached."""
        products = [_product(a, b) for a in (self.low, self.high) for b in (other.low, other.high)]
        return Range(min(products), max(products))

    @property
    def text(self) -> str:
        """In words."""
        if self.low == self.high:
            return f"is {_number(self.low)}"
        if math.isinf(self.low) and math.isinf(self.high):
            return "is any number"
        if math.isinf(self.high):
            return f"is {_number(self.low)} or more"
        return f"is between {_number(self.low)} and {_number(self.high)}"


COUNTS = Range(0, math.inf, whole=True)
AMOUNTS = Range(0, AMOUNT_MINOR_END - 1, whole=True)
FLAGS = Range(0, 1, whole=True)
_OF_OP = {
    "count": COUNTS,
    "sum": COUNTS,
    "distinct": COUNTS,
    "fraud_count": COUNTS,
    "mean": Range(0, AMOUNT_MINOR_END - 1),
    "zscore": Range(-math.inf, math.inf),
    "fraud_rate": Range(0, 1),
    "since_last": Range(-1, math.inf, whole=True),
    "amount": AMOUNTS,
    "weekend": FLAGS,
    "night": FLAGS,
}


def ranges_of(document: FeatureDocument) -> dict[str, Range]:
    """Name → range, of every feature and of the amount of the payment."""
    return {"amount_minor": AMOUNTS, **{feature.name: _of(feature) for feature in document.features}}


def _of(feature: Feature) -> Range:
    if feature.op == "night" and feature.to_hour == 23:
        return Range(1, 1, whole=True)
    return _OF_OP[feature.op]


def _product(a: float, b: float) -> float:
    return 0.0 if 0 in (a, b) else a * b


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"
