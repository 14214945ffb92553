"""`assay bench latency`: from the instant a payment is due until its decision is on the broker, at a fixed rate.

t0 is a schedule made beforehand (see `open_loop`): in the path `direct` each payment is due by itself and is written to the
lane's input topic; in the path `gate` a few are due together as one HTTP call to a real gate over PostgreSQL. In the path `copy`
a raw copy of the records is in the place of the lane, under the schedule of `direct`: the figures of the other paths are given as
ratios to it, too, within each round. t1 is the time at which the broker appended the decision, or the copy (its topic is set to
LogAppendTime for this), rounded up to the next millisecond, so that no latency is shown too small; what is missing is the way of
the acknowledgement back to the worker. Every payment must be decided, once in effect and byte for byte as the journal gives it,
and every copy must be equal to its record, else there are no figures.

The path `decide` has another end: each payment is a call of its own to `/v1/decide`, due by itself, and t1 is the wall time at which its
answer had arrived. Answers that came at the deadline are counted as `fallbacks`, and are in the percentiles.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from assay.app.bench.arena import arena
from assay.app.bench.lane import machine
from assay.app.bench.latency_round import COPY, DECIDE, PATHS, THROUGH_GATE, measure_path
from assay.app.bench.picture import Axis, Chart, Series, write_charts
from assay.app.bench.stats import spread
from assay.app.screen import Screen

#: percentiles of a path that are divided by those of the raw copy
COMPARED: Final = ("p50", "p99")
#: without `decide`, which is asked for at a rate of its own
USUAL: Final = tuple(path for path in PATHS if path != DECIDE)
#: percentiles of the payments due in each second that are drawn
DRAWN: Final = ("p50", "p99", "max")


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give percentiles, rates and ratios per path with their spread over rounds.

    Raises Stop(BENCH_INVALID) when a decision or a copy is missing or differs, or the gate does not admit every payment.
    """
    given = _arguments(arguments)
    console = Screen(file=sys.stderr)
    with arena(postgres=not set(THROUGH_GATE).isdisjoint(given.paths)) as place:
        measured = [
            measure_path(given, place, path, number, console)
            for number in range(given.uncounted + given.rounds)
            for path in order(given.paths, number)
        ]
    rounds = with_ratios([one for one in measured if one["round"] >= given.uncounted])
    figures = {
        "bench": "latency",
        "machine": machine(),
        "payments_per_s": given.rate,
        "payments_per_call": given.per_call,
        "standby": given.standby,
        "t0": "the schedule's instant, not that of sending",
        "t1": "the broker's append of the decision or the copy, rounded up to the next millisecond; of decide the arrival of the answer",
        "rounds": rounds,
        "uncounted": [one for one in measured if one["round"] < given.uncounted],
        "latency_ms": _spreads(rounds, "latency_ms"),
        "ratio_to_copy": _spreads(rounds, "ratio_to_copy"),
        "rate_per_s": _spreads(rounds, "rate_per_s"),
        "cpu_s": _spreads(rounds, "cpu_s"),
    }
    if given.pictures is not None:
        figures["pictures"] = write_charts(_charts(rounds), given.pictures)
    return figures


def order(paths: Sequence[str], number: int) -> list[str]:
    """The paths of a round: each begins as often as the others, for the one behind finds a broker that is warmer."""
    first = number % len(paths)
    return [*paths[first:], *paths[:first]]


def with_ratios(rounds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rounds, those of other paths with their percentiles divided by those of the raw copy in the same round, if it has one."""
    copies = {one["round"]: one["latency_ms"] for one in rounds if one["path"] == COPY}
    return [
        {**one, "ratio_to_copy": {name: round(one["latency_ms"][name] / copies[one["round"]][name], 2) for name in COMPARED}}
        if one["path"] != COPY and one["round"] in copies
        else dict(one)
        for one in rounds
    ]


def _spreads(rounds: Sequence[Mapping[str, Any]], figure: str) -> dict[str, dict[str, float]]:
    """Over the rounds of each path, for each name within this figure."""
    of: dict[str, list[float]] = {}
    for one in rounds:
        for name, value in one.get(figure, {}).items():
            of.setdefault(f"{one['path']} {name}", []).append(value)
    return {name: spread(values) for name, values in of.items()}


def _charts(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Chart]:
    """The last round of each path over time, and how latencies are distributed."""
    last = {one["path"]: one["curves"] for one in rounds}
    pictures = {f"latency-{path}": _over_time(path, curves["per_second"]) for path, curves in last.items()}
    slower = [Series(path, curves["ms"], [100.0 - share for share in curves["share"]]) for path, curves in last.items()]
    title = "Share of payments that took longer"
    return pictures | {"latency-distribution": Chart(title, Axis("ms", log=True), Axis("% of payments", log=True), slower)}


def _over_time(path: str, seconds: Sequence[Mapping[str, float]]) -> Chart:
    lines = [Series(name, [one["second"] for one in seconds], [one[name] for one in seconds]) for name in DRAWN]
    return Chart(f"Latency of the payments due in each second, {path}", Axis("second"), Axis("ms", log=True), lines)


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="assay bench latency", description=__doc__)
    parser.add_argument("--paths", nargs="+", choices=PATHS, default=USUAL, help="a raw copy, the lane without and with the gate")
    parser.add_argument("--rate", type=int, default=2_000, help="payments per second")
    parser.add_argument("--per-call", type=int, default=20, help="payments of one HTTP call, all due when the call is")
    parser.add_argument("--warm-s", type=float, default=10.0, help="seconds before the measurement")
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--uncounted", type=int, default=1, help="rounds before those: a broker's JVM compiles what it runs")
    parser.add_argument("--standby", action="store_true", help="a second worker follows the journal meanwhile")
    parser.add_argument("--pictures", type=Path, help="directory for pictures (SVG) of the last round of each path")
    return parser.parse_args(arguments)
