"""`assay bench takeover`: how long nothing is decided when the active worker is killed or told to end, with a standby beside it.

Payments come at a fixed rate, whatever happens. Two workers of the run are up: one decides, the other follows its journal.
Each round ends the active one (SIGKILL and SIGTERM in turn) and starts another standby when the takeover is over. The gap is
the longest time around that instant between two decisions, by the wall time at which they were published. At the end every
payment must be decided, each decision once in effect, and byte for byte as the journal gives it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import threading
import time
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
from confluent_kafka import Producer

from assay.app.bench.bus import BenchBus, wait_until
from assay.app.bench.checks import check_once_in_effect
from assay.app.bench.contestants import Pairs, python
from assay.app.bench.lane import DECISIONS, TRAFFIC, bench_config, machine
from assay.app.bench.stats import spread
from assay.app.bench.workload_w import draw, records
from assay.app.run_directory import Run
from assay.app.settings import load_settings
from assay.app.substrate import Server, kafka_at
from assay.app.substrate.ports import free_port
from assay.app.substrate.processes import Launch
from assay.app.topics import create_topics
from assay.contracts.topics import topic

SIGNALS = (signal.SIGKILL, signal.SIGTERM)
#: decisions flow this long before the active worker is ended, and after the takeover
CALM_S = 3.0
#: a worker that starts on a busy machine, compiling nothing, is there long before
DEADLINE_S = 180.0
#: where a gap is looked for, around the instant the worker was ended
BEFORE_MS, AFTER_MS = 500, 60_000


class Worker(NamedTuple):
    """A worker process and where it answers."""

    process: Server
    port: int

    def health(self) -> dict[str, Any]:
        """What it says of itself, nothing while it does not answer."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2) as answer:
                said: dict[str, Any] = json.load(answer)
                return said
        except (URLError, OSError):
            return {}


class Feeder(threading.Thread):
    """Writes payments at a fixed rate until it is told to stop or none are left; `sent` says how many."""

    def __init__(self, bus: BenchBus, name: str, pairs: Pairs, per_s: int) -> None:
        super().__init__(name="feeder", daemon=True)
        self._producer = Producer({"bootstrap.servers": bus.bootstrap, "linger.ms": 0, "enable.idempotence": True, "log_level": 0})
        self._name, self._pairs, self._per_s = name, pairs, per_s
        self._over = threading.Event()
        self.sent = 0

    def run(self) -> None:
        began = time.monotonic()
        while not self._over.wait(0.005) and self.sent < len(self._pairs):
            due = min(len(self._pairs), int((time.monotonic() - began) * self._per_s))
            for key, value in self._pairs[self.sent : due]:
                self._producer.produce(self._name, value, key, 0)
            self.sent = due
            self._producer.poll(0)
        self._producer.flush(60)

    def stop(self) -> int:
        """No more payments; how many were written."""
        self._over.set()
        self.join(90)
        return self.sent


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give the gaps. Raises Stop(BENCH_INVALID) when a decision is missing or differs."""
    given = _arguments(arguments)
    with ExitStack() as stack:
        room = Path(tempfile.mkdtemp(prefix="assay-bench-"))
        stack.callback(shutil.rmtree, room, ignore_errors=True)
        kafka = kafka_at(room / "kafka", load_settings())
        stack.callback(kafka.stop)
        bus = BenchBus(kafka.address)
        stack.callback(bus.close)
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
    source, decisions = (topic(handle).name(made.namespace) for handle in (TRAFFIC, DECISIONS))
    pairs = _payments(made, given.rate * given.rounds * 60)
    workers = [_start(made, 0, stack)]
    wait_until(lambda: bool(workers[0].health().get("lanes")), "a lane", workers[0].process, DEADLINE_S)
    feeder = Feeder(bus, source, pairs, given.rate)
    feeder.start()
    wait_until(lambda: bus.end(decisions) > 0, "decided", workers[0].process, DEADLINE_S)
    rounds: list[dict[str, Any]] = []
    for number, how in zip(range(given.rounds), cycle(SIGNALS), strict=False):
        workers.append(_start(made, number + 1, stack))
        ended_ms = _take_over(workers[-2], workers[-1], how)
        rounds.append({"signal": how.name, "ended_ms": ended_ms, "decisions": bus.end(decisions)})
        if given.progress:
            print(f"round {number + 1} of {given.rounds}: {how.name} done", flush=True)
    sent = feeder.stop()
    wait_until(lambda: bus.end(source) >= sent and _is_done(workers[-1]), "decided the rest", workers[-1].process, DEADLINE_S)
    times = bus.times_ms(decisions)
    for one in rounds:
        one["gap_s"] = gap_s(times, one.pop("ended_ms"))
    return rounds, sent


def _take_over(active: Worker, standby: Worker, how: signal.Signals) -> int:
    """End the active worker when the standby is ready; the wall time of that, once the standby has gone on for a while."""
    wait_until(lambda: _follows(active, standby), "the active worker's journal", standby.process, DEADLINE_S)
    time.sleep(CALM_S)
    ended_ms = time.time_ns() // 1_000_000
    os.kill(active.process.pid, how)
    wait_until(lambda: bool(standby.health().get("lanes")), "taken over", standby.process, DEADLINE_S)
    time.sleep(CALM_S)
    return ended_ms


def gap_s(times_ms: Any, ended_ms: int) -> float:
    """The longest time between two neighbouring times around an instant, in seconds."""
    times = np.sort(np.asarray(times_ms, np.int64))
    near = times[(times >= ended_ms - BEFORE_MS) & (times <= ended_ms + AFTER_MS)]
    return round(float(np.diff(near).max()) / 1_000, 3)


def _payments(made: Run, count: int) -> Pairs:
    blocks = records(draw(count), made.config.pins, made.config.run_id)
    return [(key, value or b"") for keys, values in blocks for key, value in zip(keys.tolist(), values.tolist(), strict=True)]


def _start(made: Run, number: int, stack: ExitStack) -> Worker:
    port = free_port()
    argv = python("assay", "worker", "--run", str(made.directory), "--pack", "rtdl_core", "--web-port", str(port))
    log = made.directory / f"worker{number}.log"
    launch = Launch(argv, Path.cwd(), log, signal.SIGTERM, 20.0, inherit_environment=True)
    process = stack.enter_context(Server(f"worker {number}", 0, "", log=log, launch=launch).start())
    return Worker(process, port)


def _follows(active: Worker, standby: Worker) -> bool:
    """The standby has folded what the active has written, give or take what is under way."""
    ours, theirs = standby.health().get("journal", {}).get("rtdl", 0), active.health().get("journal", {}).get("rtdl", 0)
    return bool(theirs) and ours >= theirs - 10


def _is_done(worker: Worker) -> bool:
    lag = worker.health().get("lag", [])
    return bool(lag) and all(one["rows"] == 0 for one in lag)


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="assay bench takeover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="takeovers, by SIGKILL and SIGTERM in turn")
    parser.add_argument("--rate", type=int, default=2_000, help="payments per second")
    parser.add_argument("--progress", action="store_true", help="print a line per takeover")
    return parser.parse_args(arguments)
