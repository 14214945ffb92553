"""Kinds of metrics whose cost is per batch: counters by label, and times of many rows counted by one vector operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, disable_created_metrics
from prometheus_client.core import HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series for the birth of each series, which nobody asks for

#: bounds of the buckets that are exported, in seconds
LATENCY_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
#: the same for work that takes minutes or hours
LONG_S: Final = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0)
#: upper bounds in which times are counted, in seconds: every number of two digits from 0.1 ms to 99 s
_FINE_S: Final = np.array([float(f"{digits}e{power}") for power in range(-5, 1) for digits in range(10, 100)])
_PERCENTILES: Final = (50, 99)


class CounterBy:
    """A counter split by labels, each with a closed, small set of values."""

    def __init__(self, registry: CollectorRegistry, name: str, sentence: str, *labels: str) -> None:
        self.name, self.labels = name, labels
        self._counter = Counter(name, sentence, labels, registry=registry)

    def add(self, counts: Mapping[str, int]) -> None:
        """Add to several values of the only label at once."""
        for value, count in counts.items():
            self.add_one(count, value)

    def add_one(self, count: int, *values: object) -> None:
        """Add to one value of each label."""
        if count:
            self._counter.labels(*values).inc(count)


class TimesBy(Collector):
    """A histogram of times split by labels, `<name>_seconds`; beside it the 50th and 99th percentile since the start, to two digits,
    as `<name>_percentile_seconds`. A process exports a series from its first time on."""

    def __init__(self, registry: CollectorRegistry, name: str, sentence: str, *labels: str) -> None:
        self.name = f"{name}_seconds"
        self.percentiles = f"{name}_percentile_seconds"
        self._sentence, self.labels = sentence, labels
        self._counts: dict[tuple[str, ...], NDArray[np.int64]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        registry.register(self)

    def observe(self, times_s: NDArray[np.float64], rows: NDArray[np.int64], *values: object) -> None:
        """Count `rows[i]` times of `times_s[i]` seconds; a clock that was set back counts as no time."""
        key = tuple(map(str, values))
        times = np.maximum(times_s, 0.0)
        bins = np.searchsorted(_FINE_S, times)
        if key not in self._counts:
            self._counts[key] = np.zeros(len(_FINE_S) + 1, np.int64)
        np.add.at(self._counts[key], bins, rows)
        self._sums[key] = self._sums.get(key, 0.0) + float(times @ rows)

    def describe(self) -> Iterator[Metric]:
        """The families without series: their names are known before there is any."""
        yield HistogramMetricFamily(self.name, self._sentence, labels=self.labels)
        yield GaugeMetricFamily(self.percentiles, self._percentile_sentence, labels=(*self.labels, "percentile"))

    def collect(self) -> Iterator[Metric]:
        """Both families with the series that there are."""
        histogram = HistogramMetricFamily(self.name, self._sentence, labels=self.labels)
        gauge = GaugeMetricFamily(self.percentiles, self._percentile_sentence, labels=(*self.labels, "percentile"))
        for key in sorted(self._counts):
            below = np.cumsum(self._counts[key])
            at = np.searchsorted(_FINE_S, LATENCY_S)
            buckets = [(str(bound), float(count)) for bound, count in zip(LATENCY_S, below[at], strict=True)]
            histogram.add_metric(key, [*buckets, ("+Inf", float(below[-1]))], self._sums[key])
            for percent in _PERCENTILES:
                place = int(np.searchsorted(below, below[-1] * percent / 100))
                gauge.add_metric((*key, str(percent)), float(_FINE_S[place]) if place < len(_FINE_S) else float("inf"))
        yield from (histogram, gauge)

    @property
    def _percentile_sentence(self) -> str:
        return f"{self._sentence[:-1]}: percentiles since the start, to two digits."


class BuildInfo(Collector):
    """One series, always 1, whose labels say what runs."""

    def __init__(self, registry: CollectorRegistry, name: str, sentence: str, labels: Callable[[], Mapping[str, str]]) -> None:
        self._family = name, sentence
        self._given = labels
        registry.register(self)

    def describe(self) -> Iterator[Metric]:
        """The family without its series: to know the labels costs time."""
        yield InfoMetricFamily(*self._family)

    def collect(self) -> Iterator[Metric]:
        """The series."""
        yield InfoMetricFamily(*self._family, value=dict(self._given()))
