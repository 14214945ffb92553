"""The arrival process of 5B. Arrivals of a merchant in an hour come by exponential gaps until the hour's λ is used up.

So their number is Poisson of λ, and their times are ordered and uniform: counting (S3) and making (S4) use the same draws. The zones
of a merchant are one process; a mark of each arrival says of which zone it is (superposition and thinning of Poisson processes).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.kernel import Int, inlined, kernel, part
from assay.engine.philox import chosen, two
from assay.engine.quantiles import interpolated

_HOUR_US = 3_600_000_000.0


@inlined
def total_of(intensity: Any, first: Int, last: Int, hour: Int) -> Any:
    """λ of a merchant in an hour: the sum over its cells."""
    total = 0.0
    for cell in range(first, last):
        total += intensity[cell, hour]
    return total


@part
def cell_of(intensity: Any, first: Int, last: Int, hour: Int, at: Any) -> Any:
    """The cell in which a mark of [0, total) lies, and where in the cell, in [0, 1) but for rounding."""
    cell, before = first, 0.0
    while cell < last - 1 and at >= before + intensity[cell, hour]:
        before += intensity[cell, hour]
        cell += 1
    width = intensity[cell, hour]
    return cell, (at - before) / width if width > 0 else 0.0


@kernel
def count_arrivals(key: Any, gaps: Any, first: Any, intensity: Any, counts: Any) -> None:
    """Arrivals of each cell and hour. `first`: cells of merchants; `gaps`: quantiles of an exponential; `counts` begins with zeros."""
    hours = intensity.shape[1]
    for merchant in range(len(first) - 1):
        for hour in range(hours):
            total = total_of(intensity, first[merchant], first[merchant + 1], hour)
            reach, number = 0.0, 0
            while True:
                gap, mark = two(key, merchant * hours + hour, number)
                reach += interpolated(gaps, gap)
                if reach >= total:
                    break
                counts[cell_of(intensity, first[merchant], first[merchant + 1], hour, mark * total)[0], hour] += 1
                number += 1


@kernel
def make_arrivals(
    key: Any, gaps: Any, first: Any, intensity: Any, hours: Any, bounds: Any, place_first: Any, place_ends: Any, made: Any, counts: Any
) -> None:
    """Arrivals of some hours, ordered by merchant and time.

    `hours`: (first, last). `bounds[m]` … `bounds[m + 1]`: rows of merchant m by the counts of S3; a merchant with more arrivals than
    rows writes none of the others. `place_first`, `place_ends`: places of each cell and running sums of their weights. `made`: columns
    (cell, place, hour, microseconds from the first hour of all). `counts`: arrivals by cell and hour of these hours, from zeros on.
    """
    to_cell, to_place, to_hour, to_us = made
    begin, end = hours
    for merchant in range(len(first) - 1):
        low, high = first[merchant], first[merchant + 1]
        row = bounds[merchant]
        for hour in range(begin, end):
            total = total_of(intensity, low, high, hour)
            reach, number = 0.0, 0
            while True:
                gap, mark = two(key, merchant * intensity.shape[1] + hour, number)
                reach += interpolated(gaps, gap)
                if reach >= total:
                    break
                cell, within = cell_of(intensity, low, high, hour, mark * total)
                counts[cell, hour - begin] += 1
                if row < bounds[merchant + 1]:
                    to_cell[row], to_hour[row] = cell, hour
                    to_place[row] = chosen(within, place_ends, place_first[cell], place_first[cell + 1])
                    to_us[row] = hour * np.int64(_HOUR_US) + min(np.int64(reach / total * _HOUR_US), np.int64(_HOUR_US) - 1)
                row += 1
                number += 1
