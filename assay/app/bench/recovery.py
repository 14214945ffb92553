"""`assay bench recovery`: how long a worker's process takes from a snapshot and a tail of the journal to going on.

Per number of keys: one process folds workload W's payments over that many keys, publishes a snapshot with the product's own
code and writes a tail to a journal on Kafka; fresh processes then start from both as a worker does, the files not in the page
cache. What they have restored is compared with what was built, part by part.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from assay.app.bench.lane import bench_config, machine
from assay.app.bench.memory import add_touch, touch
from assay.app.bench.stats import spread
from assay.app.bus.topics import create_topics
from assay.app.run.directory import Run
from assay.app.settings import inherited, load_settings
from assay.app.substrate import kafka_at
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: memory of the machine that a start needs per key, its snapshot in the page cache included
KEY_BYTES = 2_000
_PROCESS = "assay.app.bench.recovery_process"


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give the figures. Raises Stop(BENCH_INVALID) when what was restored is not what was built."""
    given = _arguments(arguments)
    with ExitStack() as stack:
        room = Path(tempfile.mkdtemp(prefix="assay-bench-"))
        stack.callback(shutil.rmtree, room, ignore_errors=True)
        kafka = kafka_at(room / "kafka", load_settings())
        stack.callback(kafka.stop)
        measured = {f"{keys}": _measure(given, keys, kafka.address, room / f"{keys}") for keys in given.keys}
    return {
        "bench": "recovery",
        "machine": machine(),
        "workload": "W over so many keys of five entities, every key within a 7-day window",
        "memory_touched": given.touch,
        "keys": measured,
        **{name: _spreads(measured, name) for name in ("start_s", "start_cpu_s", "snapshot_load_s", "peak_mb")},
    }


def _spreads(measured: dict[str, dict[str, Any]], name: str) -> dict[str, dict[str, float]]:
    return {keys: spread([one[name] for one in found["rounds"]]) for keys, found in measured.items()}


def _measure(given: Namespace, keys: int, bootstrap: str, directory: Path) -> dict[str, Any]:
    made = Run(directory=directory, config=bench_config(), namespace=f"recovery{keys}.", bootstrap=bootstrap, dsn="", partitions=1)
    made.save()
    create_topics(bootstrap, made.namespace, 1)
    events = keys // 5 * given.events_per_key
    built = _process("build", directory, keys, events, given.tail)
    state = built.pop("state")
    rounds = []
    for number in range(given.rounds):
        if given.touch:
            touch(KEY_BYTES * keys)
        started = _process("start", directory)
        if started.pop("state") != state:
            raise Stop(Reason.BENCH_INVALID, f"round {number} of {keys} keys restored another state than was built")
        rounds.append(started)
        if given.progress:
            print(f"{keys:,} keys, round {number + 1} of {given.rounds}: {started['start_s']} s", file=sys.stderr, flush=True)
    shutil.rmtree(directory)
    snapshot_bytes = sum(built["part_bytes"].values())
    return {
        "events": events,
        "tail_events": given.tail,
        **built,
        "snapshot_bytes": snapshot_bytes,
        "snapshot_bytes_per_key": round(snapshot_bytes / keys),
        "memory_bytes_per_key": round(rounds[-1]["state_mb"] * 2**20 / keys),
        "rounds": rounds,
    }


def _process(what: str, directory: Path, *numbers: int) -> dict[str, Any]:
    """Run one of the processes; what it printed."""
    argv = [sys.executable, "-m", _PROCESS, what, str(directory), *map(str, numbers)]
    done = subprocess.run(argv, env=inherited(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Stop(Reason.BENCH_INVALID, f"the process that was to {what} ended with {done.returncode}: {done.stderr[-2_000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="assay bench recovery", description=__doc__)
    parser.add_argument("--keys", type=int, nargs="+", default=[1_000_000], help="keys of all entities together; 5000000 take 10 GB")
    parser.add_argument("--events-per-key", type=int, default=3, help="events of every key before the snapshot, on average")
    parser.add_argument("--tail", type=int, default=100_000, help="events in the journal behind the snapshot")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--progress", action="store_true", help="print a line per start")
    add_touch(parser)
    return parser.parse_args(arguments)
