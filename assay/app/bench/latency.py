"""`assay bench latency`: from the instant a payment is due until its decision is on the broker, at a fixed rate.

t0 is a schedule made beforehand (see `open_loop`): in the path `direct` each payment is due by itself and is written to the
lane's input topic; in the path `gate` a few are due together as one HTTP call to a real gate over PostgreSQL. t1 is the time
at which the broker appended the decision (its topic is set to LogAppendTime for this), rounded up to the next millisecond, so
that no latency is shown too small; what is missing is the way of the acknowledgement back to the worker. Every payment must be
decided, once in effect and byte for byte as the journal gives it, else there are no figures.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray
from rich.console import Console

from assay.app.bench import workload_w
from assay.app.bench.arena import Arena, arena
from assay.app.bench.bus import wait_until
from assay.app.bench.checks import check_once_in_effect, event_ids_of
from assay.app.bench.contestants import family_cpu_s
from assay.app.bench.ingest import KEY, gate_of
from assay.app.bench.lane import bench_config, machine
from assay.app.bench.open_loop import Caller, Feeder, Schedule
from assay.app.bench.picture import Axis, Chart, Series, write_charts
from assay.app.bench.stats import spread
from assay.app.bench.workers import DEADLINE_S, Worker, start_worker
from assay.app.bus.topics import create_topics
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.codecs.columns import I64, Strings
from assay.contracts.errors import Stop
from assay.contracts.handles import RTDL, TRAFFIC
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

PATHS = ("direct", "gate")
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
#: points of a distribution that are drawn and written out
SHARES = (1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 99.95, 99.99, 100.0)


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give percentiles per path with their spread over rounds.

    Raises Stop(BENCH_INVALID) when a decision is missing or differs, or the gate does not admit every payment.
    """
    given = _arguments(arguments)
    console = Console(file=sys.stderr)
    with arena(postgres="gate" in given.paths) as place:
        rounds = [_round(given, place, path, number, console) for number in range(given.rounds) for path in given.paths]
    of = {path: [one["latency_ms"] for one in rounds if one["path"] == path] for path in given.paths}
    figures = {
        "bench": "latency",
        "machine": machine(),
        "payments_per_s": given.rate,
        "payments_per_call": given.per_call,
        "standby": given.standby,
        "t0": "the schedule's instant, not that of sending",
        "t1": "the broker's append of the decision, rounded up to the next millisecond",
        "rounds": rounds,
        "latency_ms": {f"{path} {name}": spread([one[name] for one in ones]) for path, ones in of.items() for name in PERCENTILES},
    }
    if given.pictures is not None:
        figures["pictures"] = write_charts(_charts(rounds), given.pictures)
    return figures


def _round(given: Namespace, place: Arena, path: str, number: int, console: Console) -> dict[str, Any]:
    """One path for warm-up and measured time, with a worker of its own."""
    made = _made(place, path, number)
    payments = workload_w.draw(round(given.rate * (given.warm_s + given.seconds)))
    with ExitStack() as stack:
        workers = [start_worker(made, 0, stack)]
        wait_until(lambda: workers[0].decides, "a lane", workers[0].process, DEADLINE_S)
        if given.standby:
            workers.append(start_worker(made, 1, stack))
            wait_until(lambda: bool(workers[1].health().get("standby")), "stood by", workers[1].process, DEADLINE_S)
        sender, gate = stack.enter_context(_sender(given, place, made, payments, path))
        watched = _watched(place, workers, gate)
        sender.start()
        _wait(sender, given.warm_s, None)
        before = {name: family_cpu_s(one) for name, one in watched.items()}
        with ProgressLine(f"round {number + 1} of {given.rounds}, {path}", sender.count, console, time.monotonic, sender.sent) as line:
            _wait(sender, given.seconds + DEADLINE_S, line)
        used = {name: round(family_cpu_s(one) - before[name], 3) for name, one in watched.items()}
        _settled(made, place, sender, payments, workers[0])
    checked = check_once_in_effect(made, len(payments.ts_us))
    due_us = np.repeat(sender.due_us(), given.per_call if path == "gate" else 1)[: len(payments.ts_us)]
    latency_ms, due_s = _latencies(made, place, due_us, round(given.warm_s * given.rate))
    place.bus.delete(made.namespace)
    return {
        "path": path,
        "round": number,
        "payments": len(latency_ms),
        "seconds": given.seconds,
        "sender_late_ms_max": sender.late_ms(),
        "cpu_s": used,
        "latency_ms": {name: round(float(np.percentile(latency_ms, q)), 3) for name, q in PERCENTILES.items()},
        "checked": checked,
        "curves": {
            "share": SHARES,
            "ms": [round(float(np.percentile(latency_ms, q)), 3) for q in SHARES],
            "per_second": _per_second(latency_ms, due_s),
        },
    }


def _made(place: Arena, path: str, number: int) -> Run:
    """A run of its own: the gate remembers ids per run."""
    config = bench_config().model_copy(update={"platform_run_id": f"platform_20260101T{number * len(PATHS) + PATHS.index(path):06d}Z"})
    made = Run(
        directory=place.room / f"{path}{number}", config=config, namespace=f"latency{number}.{path}.", bootstrap=place.bus.bootstrap,
        dsn=place.postgres.address if place.postgres else "", partitions=1, api_key=KEY,
    )  # fmt: skip
    made.save()
    create_topics(made.bootstrap, made.namespace, 1)
    place.bus.stamp_by_broker(topic(RTDL).name(made.namespace))
    return made


@contextmanager
def _sender(given: Namespace, place: Arena, made: Run, payments: workload_w.Payments, path: str) -> Iterator[tuple[Schedule, int]]:
    """What sends, and the gate's pid, 0 without one."""
    if path == "direct":
        yield Feeder(place.bus, topic(TRAFFIC).name(made.namespace), workload_w.pairs(payments, made.config), given.rate), 0
        return
    items = list(workload_w.envelopes(payments, made.config))
    bodies = [msgspec.json.encode(items[at : at + given.per_call]) for at in range(0, len(items), given.per_call)]
    with gate_of(made) as (process, url):
        yield Caller(url, KEY, bodies, given.rate / given.per_call), process.pid


def _wait(sender: Schedule, seconds: float, line: ProgressLine | None) -> None:
    """So long, or until all is sent."""
    until_s = time.monotonic() + seconds
    while sender.is_alive() and (left_s := until_s - time.monotonic()) > 0:
        sender.join(min(0.5, left_s))
        if line is not None:
            line.show(sender.sent)


def _settled(made: Run, place: Arena, sender: Schedule, payments: workload_w.Payments, worker: Worker) -> None:
    """Wait until every payment is decided. Raises Stop(BENCH_INVALID) for calls that failed or payments not admitted."""
    wanted = len(payments.ts_us)
    if isinstance(sender, Caller) and (sender.failure is not None or sender.admitted != wanted):
        raise Stop(Reason.BENCH_INVALID, f"the gate admitted {sender.admitted} of {wanted} payments: {sender.failure or 'no call failed'}")
    decisions = topic(RTDL).name(made.namespace)
    wait_until(lambda: place.bus.end(decisions) >= wanted, f"written {wanted} decisions", worker.process, DEADLINE_S)


def _latencies(made: Run, place: Arena, due_us: I64, warm: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per measured payment its latency in ms and the second of the measurement in which it was due."""
    name = topic(RTDL).name(made.namespace)
    numbers = workload_w.numbers_of(event_ids_of(Strings.of(place.bus.read(name))))
    appended_us = (np.array(place.bus.times_ms(name), np.int64) + 1) * 1_000
    first = np.unique(numbers, return_index=True)[1]
    latency_ms, due_s = (appended_us[first] - due_us) / 1_000, (due_us - due_us[warm]) / 1e6
    return latency_ms[warm:], due_s[warm:]


def _per_second(latency_ms: NDArray[np.float64], due_s: NDArray[np.float64]) -> list[dict[str, float]]:
    """Percentiles of the payments due in each second."""
    seconds = due_s.astype(np.int64)
    parts = [(second, latency_ms[seconds == second]) for second in np.unique(seconds).tolist()]
    return [
        {"second": second, **{name: round(float(np.percentile(part, PERCENTILES[name])), 3) for name in ("p50", "p99", "max")}}
        for second, part in parts
    ]


def _watched(place: Arena, workers: list[Worker], gate: int) -> dict[str, psutil.Process]:
    pids = {"sender": psutil.Process().pid, "gate": gate, "postgres": place.postgres.pid if place.postgres and gate else 0}
    pids |= dict(zip(("worker", "standby"), (worker.process.pid for worker in workers), strict=False))
    named = {name: psutil.Process(pid) for name, pid in pids.items() if pid}
    return named | ({"broker": place.broker} if place.broker else {})


def _charts(rounds: list[dict[str, Any]]) -> dict[str, Chart]:
    """The last round of each path over time, and how latencies are distributed."""
    last = {one["path"]: one["curves"] for one in rounds}
    pictures = {f"latency-{path}": _over_time(path, curves["per_second"]) for path, curves in last.items()}
    shares = [Series(path, curves["ms"], curves["share"]) for path, curves in last.items()]
    return pictures | {"latency-distribution": Chart("Share of payments decided within", Axis("ms", log=True), Axis("%"), shares)}


def _over_time(path: str, seconds: list[dict[str, float]]) -> Chart:
    lines = [Series(name, [one["second"] for one in seconds], [one[name] for one in seconds]) for name in ("p50", "p99", "max")]
    return Chart(f"Latency of the payments due in each second, {path}", Axis("second"), Axis("ms", log=True), lines)


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="assay bench latency", description=__doc__)
    parser.add_argument("--paths", nargs="+", choices=PATHS, default=PATHS, help="without and with the gate")
    parser.add_argument("--rate", type=int, default=2_000, help="payments per second")
    parser.add_argument("--per-call", type=int, default=20, help="payments of one HTTP call, all due when the call is")
    parser.add_argument("--warm-s", type=float, default=10.0, help="seconds before the measurement")
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--standby", action="store_true", help="a second worker follows the journal meanwhile")
    parser.add_argument("--pictures", type=Path, help="directory for pictures (SVG) of the last round of each path")
    return parser.parse_args(arguments)
