"""`assay bench scale`: the fold's speed against how many keys are alive and against how many features are asked for.

One thread, without Kafka: journal records as the lane writes them, made beforehand, go through `Lane.apply` (dedupe, windows,
entities, rules, decision records, changelog rows), as they do in a worker, a recovery and a replay. So this is the ceiling of the
compute thread of a worker, not the speed of a worker; `assay bench lane` measures that. Each point is a lane of its own that
first sees every key once; then keys are drawn evenly, which is the hardest for the caches. Points are measured round after
round. Decisions are counted: each measured payment must have one.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import linear_regression
from typing import Any

import numpy as np
import psutil

from assay.agents.lane import LaneMachine
from assay.agents.specs import Role
from assay.agents.step import Chunk
from assay.agents.topology import TOPOLOGY
from assay.app.bench import workload_w
from assay.app.bench.lane import bench_config, machine
from assay.app.bench.picture import Axis, Chart, Series, write_charts
from assay.app.bench.stats import spread
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.progress import ProgressLine
from assay.app.run.directory import RunConfig
from assay.app.screen import Screen
from assay.contracts.errors import Stop
from assay.contracts.handles import RTDL, TRAFFIC
from assay.contracts.reasons import Reason

KEYS = (10_000, 30_000, 100_000, 300_000, 1_000_000)
FEATURES = (10, 25, 50, 75, 100)
#: live keys while features are counted: those of workload W
FEATURES_KEYS = 41_000
#: figure → what its line is called
RATES = {"events_per_s": "per second", "events_per_cpu_s": "per CPU-second"}
ROWS = 5_000
#: wall time between journal records, so that changelog rows go out as often as at 100,000 events/s
RECORD_WALL_US = 50_000
STEP_MS = 20
#: lengths of windows and their resolution, taken one after another for more features
WINDOWS = (
    ("1h", "5min"),
    ("24h", "1h"),
    ("7d", "6h"),
    ("2h", "5min"),
    ("12h", "1h"),
    ("3d", "6h"),
    ("30min", "5min"),
    ("6h", "1h"),
    ("1d", "6h"),
)


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give events per second at every point, with their spread. Raises Stop(BENCH_INVALID) when a decision is missing."""
    given = _arguments(arguments)
    points = [("keys", n) for n in given.keys] + [("features", n) for n in given.features]
    rounds: list[dict[str, Any]] = []
    with ProgressLine("points", len(points) * given.rounds, Screen(file=sys.stderr), time.monotonic) as line:
        for number in range(given.rounds):
            for axis, value in points:
                config = bench_config() if axis == "keys" else with_features(value)
                measured = _point(config, value if axis == "keys" else given.features_keys, given.events)
                rounds.append({"round": number, axis: value, **measured})
                line.show(len(rounds), f"{value:,} {axis}: {measured['events_per_s']:,} events/s")
    found = {axis: {what: _curve(rounds, axis, what) for what in RATES} for axis in dict.fromkeys(axis for axis, _ in points)}
    figures: dict[str, Any] = {
        "bench": "scale",
        "machine": machine(),
        "measured": "Lane.apply on journal records made beforehand, one thread, without Kafka",
        "rounds": rounds,
        **{
            f"{what}, {axis}": {f"{value:,}": one for value, one in curves[what].items()}
            for axis, curves in found.items()
            for what in RATES
        },
    }
    if len(given.features) > 1:
        figures["cpu_ns_per_feature"] = spread(_costs(rounds))
    if given.pictures is not None:
        figures["pictures"] = write_charts(_charts(found), given.pictures)
    return figures


def with_features(count: int) -> RunConfig:
    """Workload W's entities with so many counts, sums and times since the last payment, entity after entity; no rule."""
    entities = list(workload_w.ENTITIES)
    return bench_config().model_copy(
        update={
            "features": {"feature_set": f"scale_{count}", "revision": "1", "entities": entities, "label_entities": [],
                         "features": [_feature(number, entities) for number in range(count)]},
            "policy": {"policy_id": "scale", "revision": "1", "thresholds": {"STEP_UP": 30, "QUEUE_REVIEW": 60},
                       "rules": [{"code": "ANY", "points": 1, "when": [{"feature": _feature(0, entities)["name"], "ge": 1}]}]},
        }
    )  # fmt: skip


def _feature(number: int, entities: Sequence[str]) -> dict[str, Any]:
    entity, turn = entities[number % len(entities)], number // len(entities)
    window, resolution = WINDOWS[turn // 2 % len(WINDOWS)]
    op = ("count", "sum")[turn % 2]
    if turn // 2 >= len(WINDOWS):
        return {"name": f"{entity}_since_last_{turn}", "entity": entity, "op": "since_last", "unit": "us"}
    value = {"value": "amount_minor"} if op == "sum" else {}
    head = {"name": f"{entity}_{op}_{window}", "entity": entity, "op": op, **value}
    return {**head, "window": window, "resolution": resolution, "include_current": False}


def _point(config: RunConfig, keys: int, events: int) -> dict[str, Any]:
    """One lane with so many keys alive, and how fast it goes on."""
    lane = fold_machine_of(TOPOLOGY.with_role(Role.DECIDE), config, partition_counts(1))
    lane.unemitted()
    lane.apply(lane.claim_entry(0).value)
    before = psutil.Process().memory_info().rss
    seen = -(-keys // len(workload_w.ENTITIES))
    for value in _journal(lane, config, _once(seen), 0):
        _fold(lane, value)
    bytes_per_key = (psutil.Process().memory_info().rss - before) / keys
    wall_s = cpu_s = 0.0
    decided = 0
    for value in _journal(lane, config, _evenly(seen, events), seen):
        wall, cpu = time.perf_counter(), time.process_time()
        decided += _fold(lane, value)
        wall_s, cpu_s = wall_s + time.perf_counter() - wall, cpu_s + time.process_time() - cpu
    if decided != events:
        raise Stop(Reason.BENCH_INVALID, f"{decided} of {events} payments were decided at {keys} keys")
    return {
        "live_keys": seen * len(workload_w.ENTITIES),
        "events": events,
        "wall_s": round(wall_s, 3),
        "cpu_s": {"bench": round(cpu_s, 3)},
        "events_per_s": round(events / wall_s),
        "events_per_cpu_s": round(events / cpu_s),
        "cpu_ns_per_event": round(cpu_s / events * 1e9),
        "resident_bytes_per_key": round(bytes_per_key),
    }


def _journal(lane: LaneMachine, config: RunConfig, payments: workload_w.Payments, first: int) -> Iterator[bytes]:
    """Journal records of payments that follow `first` others. The one that is given is to be folded before the next is asked for."""
    blocks = workload_w.records(payments, config.pins, config.run_id, first)
    for keys, values in blocks:
        for start in range(0, len(values.lengths), ROWS):
            part = values.take(np.arange(start, min(start + ROWS, len(keys.lengths))))
            at = lane.position()[TRAFFIC, 0]
            lane.receive(Chunk(TRAFFIC, 0, np.arange(at, at + len(part.lengths), dtype=np.int64), part))
            entry = lane.next_entry(workload_w.START_US + at // ROWS * RECORD_WALL_US)
            assert entry is not None
            yield entry.value
            lane.emitted(entry.sequence)


def _fold(lane: LaneMachine, value: bytes) -> int:
    """Decisions of one journal record."""
    return sum(len(emission.partitions) for emission in lane.apply(value).emissions if emission.handle == RTDL)


def _once(each: int) -> workload_w.Payments:
    """Payments in which every key of every entity comes once."""
    drawn = workload_w.draw(each, step_ms=STEP_MS)
    return drawn._replace(numbers={name: np.arange(each, dtype=np.int64) for name in workload_w.ENTITIES})


def _evenly(each: int, events: int) -> workload_w.Payments:
    """Payments after those, whose keys are drawn evenly."""
    random = np.random.default_rng(11)
    drawn = workload_w.draw(events, seed=8, step_ms=STEP_MS)
    numbers = {name: random.integers(0, each, events) for name in workload_w.ENTITIES}
    return drawn._replace(numbers=numbers, ts_us=drawn.ts_us + each * STEP_MS * 1_000)


def _curve(rounds: Sequence[dict[str, Any]], axis: str, what: str) -> dict[int, dict[str, float]]:
    values = dict.fromkeys(one[axis] for one in rounds if axis in one)
    return {value: spread([one[what] for one in rounds if one.get(axis) == value]) for value in values}


def _costs(rounds: Sequence[dict[str, Any]]) -> list[float]:
    """Nanoseconds that a feature adds to an event, per round: the slope of a straight line through its points."""
    numbers = sorted({one["round"] for one in rounds})
    of = [[one for one in rounds if "features" in one and one["round"] == number] for number in numbers]
    return [linear_regression([one["features"] for one in points], [one["cpu_ns_per_event"] for one in points]).slope for points in of]


def _charts(found: dict[str, dict[str, dict[int, dict[str, float]]]]) -> dict[str, Chart]:
    axes = {"keys": Axis("live keys", log=True), "features": Axis("features")}
    return {
        f"scale-{axis}": Chart(
            f"Events folded in one thread, by {axes[axis].title}", axes[axis], Axis("events/s"),
            [Series(RATES[what], list(curve), [one["median"] for one in curve.values()]) for what, curve in curves.items()],
        )
        for axis, curves in found.items()
    }  # fmt: skip


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="assay bench scale", description=__doc__)
    parser.add_argument("--keys", type=int, nargs="*", default=KEYS, help="live keys of all entities together; 5000000 takes about 8 GB")
    parser.add_argument("--features", type=int, nargs="*", default=FEATURES, help="numbers of features, 1 to 100")
    parser.add_argument("--features-keys", type=int, default=FEATURES_KEYS, help="live keys while features are counted")
    parser.add_argument("--events", type=int, default=100_000, help="measured payments of a point; changelog rows go out every 100000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=Path, help="directory for pictures (SVG)")
    return parser.parse_args(arguments)
