"""A share of a count with its 95 % interval: a figure of few cases says how little it knows."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: the normal quantile of a two-sided 95 % interval
Z: float = 1.959963984540054
#: below this many cases a share is marked as one of few
FEW = 100


@dataclass(frozen=True)
class Share:
    """`count` of `of`; `value` with `low` and `high`, the ends of Wilson's interval. All three are None of nothing."""

    count: int
    of: int
    value: float | None
    low: float | None
    high: float | None

    @property
    def few(self) -> bool:
        """Whether it stands on few cases."""
        return self.of < FEW


def share(count: int, of: int) -> Share:
    """Wilson's score interval: it stays within 0 and 1, and is right for small counts."""
    if not of:
        return Share(count, of, None, None, None)
    p = count / of
    scale = 1 + Z * Z / of
    middle, half = p + Z * Z / (2 * of), Z * math.sqrt(p * (1 - p) / of + Z * Z / (4 * of * of))
    return Share(count, of, p, max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale))
