"""`assay bench takeover`: how long nothing is decided when the active worker is killed or told to end, with a standby beside it.

Payments come at a fixed rate, whatever happens. Two workers of the run are up: one decides, the other follows its journal.
Each round ends the active one (SIGKILL and SIGTERM in turn) and starts another standby when the takeover is over. The gap is
the longest time around that instant between two decisions, by the wall time at which they were published. At the end every
payment must be decided, each decision once in effect, and byte for byte as the journal gives it.
"""

from __future__ import annotations

import os
import signal
import time
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from itertools import cycle
from typing import Any

import numpy as np

from assay.app.bench.arena import arena
from assay.app.bench.bus import BenchBus, wait_until
from assay.app.bench.checks import check_once_in_effect
from assay.app.bench.lane import bench_config, machine
from assay.app.bench.open_loop import Feeder
from assay.app.bench.stats import spread
from assay.app.bench.workers import DEADLINE_S, Worker, start_worker
from assay.app.bench.workload_w import draw, pairs
from assay.app.bus.topics import create_topics
from assay.app.run.directory import Run
from assay.contracts.errors import Stop
from assay.contracts.handles import RTDL, TRAFFIC
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

SIGNALS = (signal.SIGKILL, signal.SIGTERM)
#: decisions flow this long before the active worker is ended, and after the takeover
CALM_S = 3.0
#: payments are made beforehand, enough for rounds of this length
ROUND_MAX_S = 60
#: a gap is looked for from this long before the worker is ended until the round is over
BEFORE_MS = 500


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give the gaps. Raises Stop(BENCH_INVALID) when a decision is missing or differs."""
    given = _arguments(arguments)
    with arena() as (room, bus, _, _), ExitStack() as stack:
        made = Run(directory=room / "run", config=bench_config(), namespace="takeover.", bootstrap=bus.bootstrap, dsn="", partitions=1)
        made.save()
        create_topics(bus.bootstrap, made.namespace, 1)
        rounds, sent = _rounds(given, made, bus, stack)
        checked = check_once_in_effect(made, sent)
    of = {s.name: [one["gap_s"] for one in rounds if one["signal"] == s.name] for s in SIGNALS}
    return {
        "bench": "takeover",
        "machine": machine(),
        "payments_per_s": given.rate,
        "rounds": rounds,
        "gap_s": {name: spread(gaps) for name, gaps in of.items() if gaps},
        "checked": checked,
    }


def _rounds(given: Namespace, made: Run, bus: BenchBus, stack: ExitStack) -> tuple[list[dict[str, Any]], int]:
    """The rounds, and how many payments were written."""
    source, decisions = (topic(handle).name(made.namespace) for handle in (TRAFFIC, RTDL))
    payments = pairs(draw(given.rate * given.rounds * ROUND_MAX_S), made.config)
    workers = [start_worker(made, 0, stack)]
    wait_until(lambda: workers[0].decides, "a lane", workers[0].process, DEADLINE_S)
    feeder = Feeder(bus, source, payments, given.rate)
    feeder.start()
    wait_until(lambda: bus.end(decisions) > 0, "decided", workers[0].process, DEADLINE_S)
    rounds: list[dict[str, Any]] = []
    for number, how in zip(range(given.rounds), cycle(SIGNALS), strict=False):
        workers.append(start_worker(made, number + 1, stack))
        instants = _take_over(workers[-2], workers[-1], how)
        if not feeder.is_alive():
            raise Stop(
                Reason.BENCH_INVALID,
                f"payments ran out in round {number + 1}",
                remedy="A standby reads the journal of all rounds before it: ask for fewer rounds, several times.",
            )
        rounds.append({"signal": how.name, "instants": instants, "decisions": bus.end(decisions)})
        if given.progress:
            print(f"round {number + 1} of {given.rounds}: {how.name} done", flush=True)
    sent = feeder.stop()
    wait_until(lambda: bus.end(source) >= sent and workers[-1].is_done, "decided the rest", workers[-1].process, DEADLINE_S)
    times = bus.times_ms(decisions)
    for one in rounds:
        one["gap_s"] = gap_s(times, *one.pop("instants"))
    return rounds, sent


def _take_over(active: Worker, standby: Worker, how: signal.Signals) -> tuple[int, int]:
    """End the active worker when the standby is ready; the wall times of that, and of when the standby had gone on for a while."""
    wait_until(lambda: standby.follows(active), "the active worker's journal", standby.process, DEADLINE_S)
    time.sleep(CALM_S)
    ended_ms = _now_ms()
    os.kill(active.process.pid, how)
    wait_until(lambda: standby.decides, "taken over", standby.process, DEADLINE_S)
    time.sleep(CALM_S)
    return ended_ms, _now_ms()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def gap_s(times_ms: Any, ended_ms: int, over_ms: int) -> float:
    """The longest time between two neighbouring times from just before one instant until another, in seconds."""
    times = np.sort(np.asarray(times_ms, np.int64))
    near = times[(times >= ended_ms - BEFORE_MS) & (times <= over_ms)]
    return round(float(np.diff(near, append=over_ms).max()) / 1_000, 3)


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="assay bench takeover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="takeovers, by SIGKILL and SIGTERM in turn")
    parser.add_argument("--rate", type=int, default=2_000, help="payments per second")
    parser.add_argument("--progress", action="store_true", help="print a line per takeover")
    return parser.parse_args(arguments)
