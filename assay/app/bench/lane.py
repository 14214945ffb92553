"""`assay bench lane`: the shipped decision lane in its worker process on workload W, beside a raw copy and other frameworks.

All run in turn, round after round, on one broker with one partition. The lane does all it does in production: merge, dedupe,
journal acknowledged before output, decisions acknowledged before commit, changelog rows. What it wrote is compared with what
a fresh process-free lane makes of the same input, and with its own journal, byte for byte; what a peer wrote, value for value.
"""

from __future__ import annotations

import platform
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from functools import cached_property, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from assay.agents.specs import Role
from assay.agents.topology import TOPOLOGY
from assay.app.bench import workload_w
from assay.app.bench.arena import arena
from assay.app.bench.bus import BenchBus
from assay.app.bench.checks import check_copy, check_lane, check_peer, expected_answers
from assay.app.bench.contestants import Contestant, Pairs, measure, python
from assay.app.bench.memory import add_touch
from assay.app.bench.peers import FOLDER, Answers, Peer, PeerRound, answers_of, known_peers
from assay.app.bench.stats import spread
from assay.app.bus.topics import create_topics
from assay.app.run.directory import Run, RunConfig
from assay.app.settings import load_settings
from assay.app.substrate.jars import listed
from assay.app.warm.world import config_of
from assay.contracts.consumer_groups import group_of
from assay.contracts.handles import RTDL, TRAFFIC
from assay.contracts.topics import topic

OURS = ("lane", "passthrough")


class Inputs:
    """The events of all rounds, made once: bus records, the same as JSON documents, and what peers must answer."""

    def __init__(self, given: Namespace) -> None:
        self.config, self.warm = bench_config(), given.warm
        self.payments = workload_w.draw(given.warm + given.events, step_ms=given.step_ms)
        self.records: Pairs = workload_w.pairs(self.payments, self.config)

    @cached_property
    def documents(self) -> Pairs:
        """The events as JSON under the same keys."""
        return [(key, value) for (key, _), value in zip(self.records, workload_w.documents(self.payments), strict=True)]

    @cached_property
    def expected(self) -> Answers:
        """The answers of the lane in memory to all events."""
        return expected_answers(self.config, self.records)


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give the figures with their spread; every round's outputs are checked before it counts.

    Raises Stop(BENCH_INVALID) when an output differs or does not come.
    """
    given = _arguments(arguments)
    peers = {name: peer for name, peer in known_peers().items() if name in given.contestants}
    commands = {name: peer.prepare(load_settings(), _say) for name, peer in peers.items()}
    inputs = Inputs(given)
    with arena() as (room, bus, broker, _):
        rounds = []
        for number in range(-given.uncounted, given.rounds):
            for name in given.contestants:
                prefix = f"bench{number}.{name}."
                if name == "lane":
                    contestant = lane_contestant(prefix, bus, inputs, room / prefix)
                elif name == "passthrough":
                    contestant = _passthrough(prefix, bus, inputs)
                else:
                    contestant = _peer(name, peers[name], commands[name], prefix, bus, inputs, given, room / prefix)
                rounds.append({"round": number, **measure(contestant, bus, broker, room / prefix, touched=given.touch)})
                bus.delete(prefix)
                if given.progress:
                    print(_progress(rounds[-1], given.rounds), flush=True)
    return _figures(given, inputs, rounds)


def bench_config() -> RunConfig:
    """A run under workload W's documents: rows fold as they come, as in live operation."""
    return config_of("workload_w").model_copy(update={"scenario_id": "workload_w", "ordering": "arrival"})


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": platform.platform(),
        "python": platform.python_version(),
        "kafka": next((jar.version for jar in listed() if jar.artifact.startswith("kafka_")), ""),
        **{name: metadata.version(name) for name in ("faust-streaming", "aiokafka", "numba", "numpy")},
    }


def lane_contestant(prefix: str, bus: BenchBus, inputs: Inputs, room: Path) -> Contestant:
    """The shipped worker on a run of its own in `room/run`."""
    made = Run(directory=room / "run", config=inputs.config, namespace=prefix, bootstrap=bus.bootstrap, dsn="", partitions=1)
    made.save()
    create_topics(bus.bootstrap, prefix, 1)
    decides = TOPOLOGY.with_role(Role.DECIDE)
    argv = python("assay", "worker", "--run", str(made.directory), "--pack", decides.pack)
    group = group_of(prefix, made.platform_run_id, decides.group, 0)
    source, target = (topic(handle).name(prefix) for handle in (TRAFFIC, RTDL))
    check = partial(check_lane, bus, made, inputs.records)
    return Contestant("lane", argv, group, source, target, inputs.records, inputs.warm, check)


def _passthrough(prefix: str, bus: BenchBus, inputs: Inputs) -> Contestant:
    source, target, group = f"{prefix}in", f"{prefix}out", f"{prefix}group"
    bus.create(source, target)
    argv = python("assay.app.bench.passthrough", bus.bootstrap, group, source, target)
    check = partial(check_copy, bus, target, inputs.records)
    return Contestant("passthrough", argv, group, source, target, inputs.records, inputs.warm, check)


def _peer(
    name: str,
    peer: Peer,
    command: Callable[[PeerRound], list[str]],
    prefix: str,
    bus: BenchBus,
    inputs: Inputs,
    given: Namespace,
    room: Path,
) -> Contestant:
    tp = PeerRound(bus.bootstrap, f"{prefix}group", f"{prefix}in", f"{prefix}out", room / name)
    bus.create(tp.source, tp.target)
    warm, count = (given.slow_warm, given.slow_warm + given.slow_events) if peer.slow else (given.warm, given.warm + given.events)

    def check() -> dict[str, Any]:
        found = answers_of(bus.read(tp.target), documents=peer.documents)
        return check_peer(found, inputs.expected.first(count), name)

    return Contestant(
        name, command(tp), tp.group, tp.source, tp.target, (inputs.documents if peer.documents else inputs.records)[:count],
        warm, check, FOLDER, peer.transactional, peer.commits_when_stopped,
    )  # fmt: skip


def _progress(one: dict[str, Any], rounds: int) -> str:
    rates = f"{one['events_per_s']:,} events/s, {one['events_per_process_cpu_s']:,} per CPU-second"
    return f"round {one['round'] + 1} of {rounds}: {one['contestant']} {rates}"


def _figures(given: Namespace, inputs: Inputs, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    counted = [one for one in rounds if one["round"] >= 0]
    of = {name: [one for one in counted if one["contestant"] == name] for name in given.contestants}
    return {
        "bench": "lane",
        "machine": machine(),
        "workload": "W: 5 keys, 36 feature values and a score per event, 1 partition",
        "measured_event_time_days": round(float(np.ptp(inputs.payments.ts_us[given.warm :])) / 86_400e6, 2),
        "warm_up_events": given.warm,
        "memory_touched": given.touch,
        "rounds": counted,
        "uncounted": [one for one in rounds if one["round"] < 0],
        "events_per_s": {name: spread([one["events_per_s"] for one in ones]) for name, ones in of.items()},
        "events_per_process_cpu_s": {name: spread([one["events_per_process_cpu_s"] for one in ones]) for name, ones in of.items()},
    }


def _arguments(arguments: list[str]) -> Namespace:
    known = known_peers()
    usual = [*OURS, *(name for name, peer in known.items() if not peer.fetched)]
    parser = ArgumentParser(prog="assay bench lane", description=__doc__)
    parser.add_argument("--events", type=int, default=300_000, help="measured events of every contestant that is not slow")
    parser.add_argument("--warm", type=int, default=100_000, help="events before them, so that state is not empty")
    parser.add_argument("--slow-events", type=int, default=6_000, help="measured events of slow contestants (Faust); at most --events")
    parser.add_argument("--slow-warm", type=int, default=2_000)
    parser.add_argument(
        "--step-ms", type=int, default=workload_w.STEP_MS, help="event time between payments; by default 200000 of them span ten days"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--uncounted", type=int, default=1, help="rounds before those: a broker's JVM compiles what it runs")
    parser.add_argument(
        "--contestants", nargs="+", choices=[*OURS, *known], default=usual, metavar="NAME",
        help=f"of {', '.join([*OURS, *known])}; without this {', '.join(usual)}. A checkout knows more than a wheel; what a peer needs "
        "from a package registry is fetched when it is named",
    )  # fmt: skip
    parser.add_argument("--progress", action="store_true", help="print a line per measurement")
    add_touch(parser)
    given = parser.parse_args(arguments)
    if given.slow_warm + given.slow_events > given.warm + given.events:
        parser.error("--slow-warm and --slow-events are parts of --warm and --events")
    return given


def _say(what: str) -> None:
    """Preparing takes a while the first time; figures may go to standard output."""
    print(what, file=sys.stderr, flush=True)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
