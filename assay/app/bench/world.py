"""`assay bench world`: seconds of each state of a synthetic bank and of its sub-steps, in a process that does nothing else.

They stand beside the prior engine's figures. With `--parties` only the segments up to 6A are made, with so many parties: the budget of
6A is about these. With `--discard` each file is removed once nobody reads it again, so the largest scale needs no room for all of it.
Seconds are wall time, files written and flushed. Memory is the peak of the process; so two sizes are compared by two calls.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from assay.app.bench.lane import machine
from assay.app.bench.stats import spread
from assay.app.progress import ProgressLine
from assay.app.screen import Screen
from assay.app.stores.objects import DirectoryStore
from assay.app.world.making import StateTime
from assay.app.world.timing import timed_world

#: seconds of the prior engine at 3.28 M parties, and what it made of flows; from its own records
PRIOR_S = {"S2": 189.9, "S3": 409.4, "S4": 96.6, "S5": 70.6}
PRIOR_FLOWS_PER_S = 52_000
PRIOR_PARTIES = 3_281_174
#: goals: seconds of 6A S2 to S5 at that size and MiB, flows/s of 6B
GOAL_6A_S, GOAL_6A_MIB, GOAL_FLOWS_PER_S = 75.0, 8 * 1024, 120_000
#: goals of the fraud-mode outputs alone, flows/s, and of all of a world, MiB
GOAL_FRAUD_MODE_PER_S, GOAL_MIB = 180_000, 6 * 1024
#: the states of 6B that make fraud mode of the baseline: plan and overlay
FRAUD_STATES = ("S3A", "S3B")


def run(arguments: list[str]) -> dict[str, Any]:
    """Make worlds and give seconds by state, rates, peak memory and the verdict of each budget."""
    given = _arguments(arguments)
    rounds = [{"round": number, **_round(given, given.seed + number)} for number in range(given.rounds)]
    names = [
        name for name in ("wall_s", "cpu_s", "seconds_6A_S2_S5", "flows_per_s_6B", "flows_per_s_fraud_mode", "rss_mib") if name in rounds[0]
    ]
    figures: dict[str, Any] = {name: spread([one[name] for one in rounds]) for name in names}
    return {
        "bench": "world",
        "machine": machine(),
        "measured": f"scale {given.scale}, {given.parties or 'all'} parties, {given.flows or 'all'} flows, {given.workers} workers",
        "rounds": rounds,
        **figures,
        "prior": {"seconds at 3,281,174 parties": PRIOR_S, "flows_per_s": PRIOR_FLOWS_PER_S},
        "budgets": _budgets(given, {name: one["median"] for name, one in figures.items()}),
    }


def _round(given: Namespace, seed: int) -> dict[str, Any]:
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    with (
        tempfile.TemporaryDirectory(dir=given.folder, prefix="assay-bench-world-") as folder,
        ProgressLine("making", 0, Screen(file=sys.stderr), time.monotonic) as line,
    ):
        told = lambda where, done, total: line.show(done, where, total)  # noqa: E731
        store, of = DirectoryStore(Path(folder)), {"parties": given.parties, "flows": given.flows}
        times = timed_world(store, given.scale, seed, given.workers, told, discard=given.discard, **of)
    wall_s = time.perf_counter() - began_s
    cpu_s = time.process_time() - began_cpu_s
    found: dict[str, Any] = {
        "wall_s": round(wall_s, 2),
        "cpu_s": round(cpu_s, 2),
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    found["seconds_6A_S2_S5"] = round(sum(one.seconds for one in times if one.segment_id == "6A" and not one.state.startswith("S1")), 2)
    behaviour_s = sum(one.seconds for one in times if one.segment_id == "6B")
    if behaviour_s:
        found["flows"] = _flows(times)
        found["flows_per_s_6B"] = round(_flows(times) / behaviour_s)
        found["flows_per_s_fraud_mode"] = round(_flows(times) / sum(one.seconds for one in times if one.state in FRAUD_STATES))
    found["states"] = {f"{one.segment_id} {one.state}": round(one.seconds, 3) for one in times}
    found["steps"] = {f"{one.segment_id} {one.state}": {name: round(took, 3) for name, took in one.steps.items()} for one in times}
    return found


def _flows(times: list[StateTime]) -> int:
    """One flow per arrival."""
    return next(one.rows for one in times if (one.segment_id, one.state) == ("5B", "S4"))


def _budgets(given: Namespace, medians: dict[str, float]) -> dict[str, str]:
    found = {}
    if given.parties and given.parties >= PRIOR_PARTIES:
        found["6A S2 to S5, 75 s"] = _verdict(medians["seconds_6A_S2_S5"] <= GOAL_6A_S)
        found["6A, 8 GiB"] = _verdict(medians["rss_mib"] <= GOAL_6A_MIB)
    if "flows_per_s_6B" in medians:
        found["6B, 120,000 flows/s"] = _verdict(medians["flows_per_s_6B"] >= GOAL_FLOWS_PER_S)
        found["fraud mode alone, 180,000 flows/s"] = _verdict(medians["flows_per_s_fraud_mode"] >= GOAL_FRAUD_MODE_PER_S)
        found["memory, 6 GiB"] = _verdict(medians["rss_mib"] <= GOAL_MIB)
    return found


def _verdict(met: object) -> str:
    return "met" if met else "missed"


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="assay bench world", description=__doc__)
    parser.add_argument("--scale", default="small", help="size of the world")
    parser.add_argument("--parties", type=int, default=0, help="make the segments up to 6A only, with so many parties")
    parser.add_argument("--flows", type=int, default=0, help="so many payments, and parties in the proportion of all scales")
    parser.add_argument("--discard", action="store_true", help="remove each file once nobody reads it again")
    parser.add_argument("--seed", type=int, default=7, help="of the first round; each round has the next one")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="where the worlds are written; the system's folder for temporary files")
    return parser.parse_args(arguments)
