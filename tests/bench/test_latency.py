"""The latency benchmark: from when a payment was due, with every payment decided; its open loop, and its pictures."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from assay.app.bench.latency import run
from assay.app.bench.open_loop import Schedule
from assay.app.bench.picture import Axis, Chart, Series, svg, ticks


class Stalled(Schedule):
    """Sends everything at once, long after it was due."""

    def run(self) -> None:
        self._begin()
        self._began_s -= 10.0
        self._began_us -= 10_000_000
        assert list(self._next()[0]) == list(range(self.count))


def test_what_is_sent_late_was_due_on_time() -> None:
    sender, before_us = Stalled(name="stalled", count=100, per_s=50.0), time.time_ns() // 1_000
    sender.start()
    assert sender.stop() == 100
    due_us = sender.due_us()
    assert [int(one) for one in due_us[1:4] - due_us[0]] == [20_000, 40_000, 60_000]
    assert due_us[-1] < before_us - 8_000_000
    assert sender.late_ms() >= 10_000


@pytest.mark.tier2
@pytest.mark.parametrize("paths", [["gate"], pytest.param(["direct", "gate"], marks=pytest.mark.long)])
def test_with_and_without_the_gate_every_payment_is_decided_once_and_timed(tmp_path: Path, paths: list[str]) -> None:
    small = ["--rounds", "1", "--rate", "200", "--warm-s", "1", "--seconds", "2", "--per-call", "10", "--standby"]
    figures = run([*small, "--paths", *paths, "--pictures", str(tmp_path)])
    assert [one["path"] for one in figures["rounds"]] == paths
    for one in figures["rounds"]:
        assert one["checked"]["decisions"] == 600
        assert one["payments"] == 400
        assert {"worker", "standby", "sender"} <= set(one["cpu_s"])
        assert len(one["curves"]["per_second"]) == 2
        assert 0 < one["latency_ms"]["p50"] <= one["latency_ms"]["p99"] <= one["latency_ms"]["max"]
    assert len(figures["pictures"]) == len(paths) + 1
    assert all(Path(path).read_text().count("<polyline") >= 1 for path in figures["pictures"])


@pytest.mark.parametrize(
    ("low", "high", "log", "found"),
    [
        (0, 60, False, [0, 10, 20, 30, 40, 50, 60]),
        (3, 7, False, [3, 4, 5, 6, 7]),
        (0, 1.5, False, [0, 0.5, 1.0, 1.5]),
        (2.5, 45, True, [5, 10, 20]),
        (10_000, 5_000_000, True, [1e4, 1e5, 1e6]),
    ],
)
def test_ticks_are_round_numbers_within_the_limits(low: float, high: float, log: bool, found: list[float]) -> None:
    assert ticks(low, high, log=log) == pytest.approx(found)


def test_a_logarithmic_axis_leaves_out_what_is_not_above_zero() -> None:
    chart = Chart("a <title>", Axis("x"), Axis("y", log=True), [Series("one", [0, 1, 2], [0, 10, 100])])
    (points,) = re.findall(r'<polyline points="([^"]*)"', svg(chart))
    assert len(points.split()) == 2


def test_a_chart_of_one_point_is_drawn() -> None:
    assert "polyline" in svg(Chart("one", Axis("x"), Axis("y"), [Series("one", [3], [5])]))
