"""Figures of a round's times. All expected values were computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from assay.app.bench.stats import BURST_MS, percentiles, rates_per_s, spread, timing_figures
from assay.codecs.columns import I64

BURST = f"burst of {BURST_MS} ms"


def us(*times_ms: float) -> I64:
    return np.array([round(one * 1_000) for one in times_ms], np.int64)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        pytest.param([7.0], (7.0, 7.0, 7.0, 7.0, 7.0), id="one value is all of them"),
        pytest.param(range(1, 1_001), (500.0, 950.0, 990.0, 999.0, 1_000.0), id="so many of a thousand"),
        pytest.param(range(1_000, 0, -1), (500.0, 950.0, 990.0, 999.0, 1_000.0), id="in any order"),
        pytest.param([1.0, 2.0, 3.0, 40.0], (2.0, 40.0, 40.0, 40.0, 40.0), id="a value that occurred, none between two"),
        pytest.param([5.0] * 999 + [230.0], (5.0, 5.0, 5.0, 5.0, 230.0), id="one in a thousand is above 99.9 %"),
        pytest.param([5.0] * 998 + [230.0] * 2, (5.0, 5.0, 5.0, 230.0, 230.0), id="two in a thousand are not"),
    ],
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(values: list[float], found: tuple[float, ...]) -> None:
    assert percentiles(np.array(values)) == dict(zip(("p50", "p95", "p99", "p99.9", "max"), found, strict=True))


def test_percentiles_have_the_names_that_are_asked_for() -> None:
    assert percentiles(np.array([10.0, 20.0, 30.0, 40.0]), {"quarter": 25.0, "half": 50.0}) == {"quarter": 10.0, "half": 20.0}


@pytest.mark.parametrize(
    ("times_ms", "sustained", "burst"),
    [
        pytest.param([0, 10, 20, 30, 40], 100.0, 50.0, id="five within 100 ms, four gaps in 40 ms"),
        pytest.param(range(0, 1_001, 10), 100.0, 100.0, id="a steady rate is its own burst"),
        pytest.param([0, 0, 0, 0, 1_000], 4.0, 40.0, id="four at once"),
        pytest.param([0, 500, 560, 599, 600, 1_000], 5.0, 30.0, id="100 ms end before the instant 100 ms later"),
        pytest.param([600, 0, 599, 500, 1_000, 560], 5.0, 30.0, id="in any order"),
        pytest.param([3], 0.0, 10.0, id="one instant has no rate"),
        pytest.param([3, 3], 0.0, 20.0, id="nor have two at once"),
    ],
)
def test_rates_are_sustained_from_first_to_last_and_in_the_largest_burst(times_ms: list[float], sustained: float, burst: float) -> None:
    assert BURST_MS == 100
    assert rates_per_s(us(*times_ms)) == {"sustained": sustained, BURST: burst}


def test_latencies_begin_when_items_were_due_and_rates_are_those_of_what_really_happened() -> None:
    """The second item was due at 100 ms and sent at 180: its latency is 120 ms, not 40. The third was written before it."""
    figures = timing_figures(us(0, 100, 200), us(0, 180, 200), us(10, 220, 214.5))
    assert figures["latency_ms"] == {"p50": 14.5, "p95": 120.0, "p99": 120.0, "p99.9": 120.0, "max": 120.0}
    assert figures["rate_per_s"] == {
        "sent, sustained": 10.0,
        f"sent, {BURST}": 20.0,
        "written, sustained": 9.5,
        f"written, {BURST}": 20.0,
    }


@pytest.mark.parametrize(
    ("values", "found"),
    [([3.14159], (3.142, 3.142, 3.142)), ([1.0, 4.0, 2.5, 250.4], (1.0, 3.25, 250)), ([99.9999], (100.0, 100.0, 100.0))],
)
def test_a_spread_is_the_least_the_middle_and_the_largest(values: list[float], found: tuple[float, ...]) -> None:
    assert spread(values) == dict(zip(("min", "median", "max"), found, strict=True))
