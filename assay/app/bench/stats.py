"""Figures of repeated rounds: the middle one and how far they spread. Figures of the times of one round: latencies and rates."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64

PERCENTILES: Final[Mapping[str, float]] = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
#: a burst rate is the largest rate over any time of this length
BURST_MS: Final = 100
_BURST_NAME: Final = f"burst of {BURST_MS} ms"


def spread(values: Sequence[float]) -> dict[str, float]:
    """min, median and max, rounded to what such figures can bear."""
    return {"min": _short(min(values)), "median": _short(statistics.median(values)), "max": _short(max(values))}


def timing_figures(due_us: I64, sent_us: I64, written_us: I64) -> dict[str, dict[str, float]]:
    """Percentiles of the latencies in ms, and the rates per second at which n items were sent and written.

    The arrays are int64 (n,), n > 0, µs of one clock, an element per item: when it was due, sent and written. A latency begins
    when an item was due. The order of items has no influence.
    """
    rates = {"sent": rates_per_s(sent_us), "written": rates_per_s(written_us)}
    return {
        "latency_ms": percentiles((written_us - due_us) / 1_000),
        "rate_per_s": {f"{of}, {name}": rate for of, found in rates.items() for name, rate in found.items()},
    }


def percentiles(values: NDArray[Any], shares: Mapping[str, float] = PERCENTILES) -> dict[str, float]:
    """For each share in percent the smallest of the n > 0 values that so many values do not exceed. None lies between two values.

    A share has at most two decimals: its rank is a whole number without a rounding error, so 99.9 % of 1,000 are 999.
    """
    ordered = np.sort(values)
    ranks = {name: -(-round(share * 100) * len(ordered) // 10_000) for name, share in shares.items()}
    return {name: round(float(ordered[rank - 1]), 3) for name, rank in ranks.items()}


def rates_per_s(times_us: I64) -> dict[str, float]:
    """Items per second of n > 0 instants, int64 µs in any order: from the first to the last, and the largest over `BURST_MS`."""
    times = np.sort(times_us)
    span_us = int(times[-1] - times[0])
    ends = np.searchsorted(times, times + BURST_MS * 1_000)
    largest = int((ends - np.arange(len(times))).max())
    sustained = (len(times) - 1) / span_us * 1e6 if span_us else 0.0
    return {"sustained": round(sustained, 1), _BURST_NAME: round(largest / BURST_MS * 1_000, 1)}


def _short(value: float) -> float:
    return round(value) if abs(value) >= 100 else round(value, 3)
