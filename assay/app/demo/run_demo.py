"""A run from a file of payments to a verified report: each stage timed, each rerun resuming where the last one stopped."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from assay.app.bus_properties import read_bus_properties
from assay.app.demo import members, versions
from assay.app.demo.new_run import claim_topics, refuse_other_config, wire, world_config
from assay.app.demo.stages import Stages, in_run, table
from assay.app.demo.watch import Counts, audited, set_aside, until_done, worker_counters
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.own_command import own_command
from assay.app.progress import ProgressLine
from assay.app.report.evidence import Part, Process, RunEvidence, read_decisions
from assay.app.run_directory import Run, RunConfig
from assay.app.settings import Settings
from assay.app.stores.objects import DirectoryStore
from assay.app.substrate import Server, Substrate
from assay.app.substrate.ports import free_port
from assay.app.topics import create_topics
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@dataclass(frozen=True)
class Wanted:
    """What to run: a file with its mapping and policy, the run's directory, and how fast."""

    file: Path
    mapping: str
    policy: str
    directory: Path
    platform_run_id: str
    speedup: float = 0.0


def run_demo(wanted: Wanted, settings: Settings, console: Console) -> bool:
    """Import, stream, decide, act, audit, replay, verify and report. True when everything is proven."""
    stages, started_utc = Stages(console), _utc_now()
    world = _seal(wanted, stages)
    config = world_config(wanted.platform_run_id, world.manifest, wanted.policy)
    refuse_other_config(wanted.directory, config)  # before anything is started
    properties = read_bus_properties(settings.bus_properties)
    with ExitStack() as stack:
        with stages.stage("start PostgreSQL and Kafka"):
            servers = stack.enter_context(Substrate(wanted.directory, settings))
        claim_topics(wanted.directory, config, settings, servers.bootstrap, properties)
        run = _wired(wanted.directory, config, settings, servers)
        with stages.stage("start gate and worker"):
            create_topics(run.bootstrap, run.namespace, run.partitions, properties)
            running = [stack.enter_context(members.gate(run)), stack.enter_context(members.worker(run))]
            if _assay("run", run, quiet=True):
                raise Stop(Reason.RUN_INCOMPLETE, "the scenario runner does not say READY", remedy="Its message above says why.")
        everything = _processes(run, [*servers.servers, *running])
        for line in table(everything):
            stages.say(line)
        with stages.stage("stream, decide, act and audit") as streaming:
            streaming.rows = _stream(run, world, wanted, members.Kept([*servers.servers, *running], stages.say), console)
        latency = batch_latency_ms(run)
        aside = set_aside(run, properties)
        for member in reversed(running):
            member.stop()
        proven = prove(run, stages, world.manifest.rows)
        _evidence(run, stages, servers, Observed(started_utc, everything, aside, latency))
    reported = _assay("report", run) == 0
    _conclude(run, stages, proven=proven and reported)
    return proven and reported


def prove(run: Run, stages: Stages, rows: int) -> bool:
    """Replay in a fresh process and verify the audit chain; both write their evidence."""
    with stages.stage("replay in a fresh process", rows):
        replayed = _assay("replay", run, "--verify")
    with stages.stage("verify the audit chain", rows):
        audited = _assay("audit", run, subcommand="verify")
    return replayed == 0 and audited == 0


def batch_latency_ms(run: Run) -> dict[str, float] | None:
    """Percentiles of journal record → outputs acknowledged, from the worker's histogram (upper bucket bounds)."""
    counters = worker_counters(run)
    buckets = sorted((float(k.split("{")[1][:-1]), v) for k, v in counters.items() if k.startswith("assay_lane_batch_seconds_bucket"))
    total = buckets[-1][1] if buckets else 0
    if not total:
        return None
    bounds = {name: next(le for le, n in buckets if n >= total * share) for name, share in (("p50", 0.5), ("p99", 0.99))}
    return {name: le * 1_000 for name, le in bounds.items() if le != float("inf")}


def _seal(wanted: Wanted, stages: Stages) -> SealedWorld:
    with stages.stage("import and seal the world") as running:
        store = DirectoryStore(wanted.directory / "store")
        world = import_world(wanted.file, load_mapping(wanted.mapping), store, time.time_ns() // 1_000)
        running.rows = world.manifest.rows
    return world


def _wired(directory: Path, config: RunConfig, settings: Settings, servers: Substrate) -> Run:
    ports = settings.gate_port or free_port(), settings.web_port or free_port()
    return wire(directory, config, settings, servers.bootstrap, servers.dsn, *ports)


def _stream(run: Run, world: SealedWorld, wanted: Wanted, kept: members.Kept, console: Console) -> int:
    """Stream the world to its end; the rows that were audited now and not by an earlier process of this run."""
    rows, before = world.manifest.rows, audited(run)
    with members.streamer(run, wanted.speedup) as stream, ProgressLine("audited", rows, console, time.monotonic, before) as line:
        until_done(run, rows, kept, stream, line.show)
    return rows - before


def _assay(command: str, run: Run, *options: str, subcommand: str = "", quiet: bool = False) -> int:
    """Run one of our commands as a process of its own; what it prints is shown, unless `quiet`. Errors always are."""
    argv = [sys.executable, "-m", "assay", command, *([subcommand] if subcommand else []), "--run", str(run.directory), *options]
    return subprocess.run(argv, check=False, stdout=subprocess.DEVNULL if quiet else None).returncode


def _processes(run: Run, running: list[Server]) -> tuple[Process, ...]:
    """Where to look at each, paths as seen from the run's directory."""
    home = run.directory
    return tuple(
        Process(name=s.name, pid=s.pid or None, port=s.port or None, log=in_run(s.log, home), data=in_run(s.data, home)) for s in running
    )


def _conclude(run: Run, stages: Stages, *, proven: bool) -> None:
    """How to look further, what was proven, and where it stands."""
    command, directory = own_command(), shlex.quote(str(run.directory))
    decisions = read_decisions(run.store)
    some = "" if decisions is None or decisions.is_empty() else decisions.sort("score", descending=True)["event_id"][0]
    verdict = "proven: every payment decided and audited, every decision replayed alike" if proven else "NOT PROVEN: see ✗ and ? above"
    lines = (
        "",
        "look further:",
        f"  {command} decision show {some} --run {directory}",
        "and with the run's servers started again:",
        f"  {command} substrate up --dir {directory}",
        f"  {command} topic cat FP_BUS_RTDL_V1 --limit 3 --run {directory}",
        "",
        f"{verdict}, in {stages.wall_s:.0f} s",
        f"report: {run.directory / 'report.html'}",
    )
    for line in lines:
        stages.console.print(Text(line), soft_wrap=True)


class Observed(NamedTuple):
    """What was seen of a run while it ran."""

    started_utc: str
    processes: tuple[Process, ...]
    aside: Counts
    latency_ms: dict[str, float] | None


def _evidence(run: Run, stages: Stages, servers: Substrate, seen: Observed) -> None:
    ours = servers.settings
    RunEvidence(
        started_utc=seen.started_utc,
        finished_utc=_utc_now(),
        machine=machine(),
        stages=tuple(stages.done),
        parts=(
            Part(
                role="bus",
                claim="parity",
                name="Apache Kafka" + (" (given)" if ours.bus else ""),
                version=versions.kafka(run.bootstrap, ours),
            ),
            Part(role="SQL", claim="parity", name="PostgreSQL" + (" (given)" if ours.sql else ""), version=versions.postgres(run.dsn)),
            Part(role="objects", claim="smoke", name="a directory"),
        ),
        processes=seen.processes,
        quarantined=seen.aside.by_reason,
        refused_triggers=seen.aside.payments,
        latency_ms=seen.latency_ms,
        digests={"run_config_digest": run.config.digest.hex()},
    ).write(run.store)


def machine() -> str:
    """The machine in one line: cores, architecture, system, Python."""
    return f"{os.cpu_count()} cores {platform.machine()}, {platform.system()} {platform.release()}, CPython {platform.python_version()}"


def _utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
