"""`assay bench replay`: the lane decides, then a fresh process recomputes and compares every decision; both speeds, and their ratio.

The lane's figure is taken as in `assay bench lane`. The replay is the command a user types, `assay replay --verify`: another
process and hash seed, kernels for a generic CPU, journal and decisions read from the broker, evidence written. Its time is
the one it reports (from the first look at the topics to the verdict); that of the whole process, start included, stands beside.
A round without a verdict over every decision is no round.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from typing import Any

from assay.app.bench.arena import Arena, arena
from assay.app.bench.contestants import busy_s, measure
from assay.app.bench.lane import Inputs, lane_contestant, machine
from assay.app.bench.stats import spread
from assay.app.progress import ProgressLine
from assay.app.replay.fresh_process import run_fresh
from assay.app.report.evidence import ReplayEvidence
from assay.app.run.directory import Run
from assay.app.screen import Screen
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give both speeds with their spread. Raises Stop(BENCH_INVALID) when a decision is not confirmed."""
    given = _arguments(arguments)
    inputs = Inputs(given)
    with arena() as place, ProgressLine("rounds", given.rounds + given.uncounted, Screen(file=sys.stderr), time.monotonic) as line:
        rounds = []
        for number in range(-given.uncounted, given.rounds):
            rounds.append({"round": number, **_round(place, inputs, f"replay{number}.")})
            line.show(number + given.uncounted + 1, f"{rounds[-1]['replayed_per_s']:,} decisions replayed per second")
    counted = [one for one in rounds if one["round"] >= 0]
    return {
        "bench": "replay",
        "machine": machine(),
        "rounds": counted,
        "uncounted": [one for one in rounds if one["round"] < 0],
        **{name: spread([one[name] for one in counted]) for name in ("lane_events_per_s", "replayed_per_s", "replayed_per_cpu_s", "ratio")},
    }


def _round(place: Arena, inputs: Inputs, prefix: str) -> dict[str, Any]:
    room = place.room / prefix
    contestant = lane_contestant(prefix, place.bus, inputs, room)
    lane = measure(contestant, place.bus, place.broker, room)
    figures = _replay(Run.load(room / "run"), len(inputs.records))
    place.bus.delete(prefix)
    return {
        "lane_events_per_s": lane["events_per_s"],
        **figures,
        "ratio": round(figures["replayed_per_s"] / lane["events_per_s"], 3),
        "lane": lane,
    }


def _replay(made: Run, decisions: int) -> dict[str, Any]:
    """One replay in a process of its own."""
    used_s, busy = _children_cpu_s(), busy_s()
    began = time.perf_counter()
    code = run_fresh(["replay", "--verify", "--run", str(made.directory)], stdout=subprocess.DEVNULL)
    process_s, cpu_s = time.perf_counter() - began, _children_cpu_s() - used_s
    evidence = ReplayEvidence.read(made.store)
    if code or evidence is None or not evidence.verified or evidence.compared != decisions:
        raise Stop(Reason.BENCH_INVALID, f"the replay of {decisions} decisions ended with {code}: {evidence}")
    return {
        "replayed": evidence.compared,
        "wall_s": round(evidence.wall_s, 3),
        "process_wall_s": round(process_s, 3),
        "cpu_s": {"replay": round(cpu_s, 3), "rest_of_machine": round(max(0.0, busy_s() - busy - cpu_s), 3)},
        "replayed_per_s": round(evidence.compared / evidence.wall_s),
        "replayed_per_cpu_s": round(evidence.compared / cpu_s),
    }


def _children_cpu_s() -> float:
    """CPU seconds of the child processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="assay bench replay", description=__doc__)
    parser.add_argument("--events", type=int, default=300_000, help="events the lane's speed is measured on")
    parser.add_argument("--warm", type=int, default=100_000, help="events before them; the replay recomputes these, too")
    parser.add_argument("--step-ms", type=int, default=600, help="event time between payments")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--uncounted", type=int, default=1, help="rounds before those: a broker's JVM compiles what it runs")
    return parser.parse_args(arguments)
