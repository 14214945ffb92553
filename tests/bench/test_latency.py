"""The latency benchmark: from when a payment was due, with every payment answered; its open loop, its ratios and its pictures."""

from __future__ import annotations

import gc
import re
import time
from pathlib import Path
from typing import Any

import pytest

from assay.app.bench.latency import order, run, with_ratios
from assay.app.bench.open_loop import Schedule
from assay.app.bench.picture import HEIGHT, NAME_PX, Axis, Chart, Series, apart, svg, ticks


class Stalled(Schedule):
    """Sends everything at once, long after it was due."""

    def _send(self) -> None:
        self.collected_meanwhile = gc.isenabled()
        self._begin()
        self._began_s -= 100.0
        self._began_us -= 100_000_000
        assert list(self._next()[0]) == list(range(self.count))


def test_what_is_sent_late_was_due_on_time() -> None:
    sender, before_us = Stalled(name="stalled", count=100, per_s=50.0), time.time_ns() // 1_000
    sender.start()
    assert sender.stop() == 100
    due_us = sender.due_us()
    assert [int(one) for one in due_us[1:4] - due_us[0]] == [20_000, 40_000, 60_000]
    assert due_us[-1] < before_us - 80_000_000
    assert sender.late_ms() >= 100_000
    assert sender.sent_us().min() >= before_us


def test_no_garbage_is_collected_while_a_schedule_runs() -> None:
    """A collection over all that a bench has imported took 0.2 s, and was in the latency of every payment due in it."""
    sender = Stalled(name="stalled", count=1, per_s=50.0)
    sender.start()
    sender.stop()
    assert not sender.collected_meanwhile
    assert gc.isenabled()


def _round(number: int, path: str, p50: float, p99: float) -> dict[str, Any]:
    return {"round": number, "path": path, "latency_ms": {"p50": p50, "p99": p99, "max": 500.0}}


def test_ratios_are_to_the_copy_of_the_same_round() -> None:
    first = [_round(0, "copy", 4.0, 10.0), _round(0, "direct", 10.0, 25.0), _round(0, "gate", 14.0, 100.0)]
    second = [_round(1, "copy", 5.0, 20.0), _round(1, "direct", 10.0, 20.0)]
    ratios = [one.get("ratio_to_copy") for one in with_ratios([*first, *second, _round(2, "direct", 1.0, 1.0)])]
    assert ratios == [None, {"p50": 2.5, "p99": 2.5}, {"p50": 3.5, "p99": 10.0}, None, {"p50": 2.0, "p99": 1.0}, None]


def test_the_paths_of_a_round_begin_in_turn() -> None:
    orders = [order(["copy", "direct", "gate"], number) for number in range(4)]
    assert orders[:3] == [["copy", "direct", "gate"], ["direct", "gate", "copy"], ["gate", "copy", "direct"]]
    assert orders[3] == orders[0]


@pytest.mark.tier2
@pytest.mark.long
@pytest.mark.parametrize("paths", [["copy", "gate"], ["copy", "direct", "gate"], ["copy", "decide"]])
def test_in_every_path_each_payment_is_answered_once_and_timed(tmp_path: Path, paths: list[str]) -> None:
    small = ["--rounds", "1", "--uncounted", "0", "--rate", "200", "--warm-s", "1", "--seconds", "2", "--per-call", "10", "--standby"]
    figures = run([*small, "--paths", *paths, "--pictures", str(tmp_path)])
    assert [one["path"] for one in figures["rounds"]] == paths
    copy, *lanes = figures["rounds"]
    assert copy["checked"]["records_equal"] == 600
    assert all(one["checked"]["decisions"] == 600 and {"worker", "standby", "sender"} <= set(one["cpu_s"]) for one in lanes)
    assert all(one["ratio_to_copy"]["p99"] == round(one["latency_ms"]["p99"] / copy["latency_ms"]["p99"], 2) for one in lanes)
    for one in figures["rounds"]:
        assert one["payments"] == 400
        assert len(one["curves"]["per_second"]) == 2
        assert 0 < one["latency_ms"]["p50"] <= one["latency_ms"]["p99"] <= one["latency_ms"]["max"]
        assert one["rate_per_s"]["sent, sustained"] > 0
    assert {f"{path} worker" for path in paths} <= set(figures["cpu_s"])
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


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ([100.0, 130.0], [100.0, 130.0]),
        ([103.0, 100.0], [100.0 + NAME_PX, 100.0]),
        ([HEIGHT - 50.0, HEIGHT - 52.0, HEIGHT - 49.0], [HEIGHT - 49.0 - NAME_PX, HEIGHT - 49.0 - 2 * NAME_PX, HEIGHT - 49.0]),
        ([], []),
    ],
)
def test_names_at_the_ends_of_lines_do_not_cover_one_another_nor_the_axis(wanted: list[float], places: list[float]) -> None:
    assert apart(wanted) == places
