"""A run from a file of payments to a verified report: each stage timed, each rerun resuming where the last one stopped."""

from __future__ import annotations

import shlex
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from assay.app.bus.properties import read_bus_properties
from assay.app.bus.users import BusUser, properties_of
from assay.app.database.prepare import prepare
from assay.app.demo import processes
from assay.app.demo.admitted import entry_of
from assay.app.demo.compiled import compile_kernels
from assay.app.demo.finalisation import (
    assay,
    observe,
    processes_of,
    prove,
    refused_text,
    utc_now,
    verdict_of,
    write_evidence,
)
from assay.app.demo.new_run import (
    as_profiled,
    claim_store,
    claim_topics,
    open_topics,
    refuse_other_config,
    refuse_unnamed,
    wire,
    world_config,
)
from assay.app.demo.readiness import bring_to_ready
from assay.app.demo.stages import Stages, table
from assay.app.demo.watch import audited, refused_calls, until_done
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.oracle.set_aside import set_aside_text
from assay.app.pace import Pace, pace_of
from assay.app.policy.documents import Policy
from assay.app.progress import ProgressLine
from assay.app.report.evidence import read_decisions
from assay.app.report.paid import short_id
from assay.app.run.directory import Run, RunConfig
from assay.app.run.own_command import own_command
from assay.app.settings import Settings
from assay.app.settled import refuse_where_managed
from assay.app.substrate import Substrate
from assay.app.substrate.ports import free_port
from assay.app.vault.key import key_for
from assay.contracts.handles import RTDL


@dataclass(frozen=True)
class Wanted:
    """What to run: a file with its mapping and policy, the run's directory, and how fast.

    `aside` is a file for rows that the import would refuse. `let_gate_refuse`: payments that the gate will refuse are known and no reason
    to stop.
    """

    file: Path
    mapping: str
    policy: Policy
    directory: Path
    platform_run_id: str
    speedup: float = 0.0
    aside: Path | None = None
    let_gate_refuse: bool = False


def run_demo(wanted: Wanted, settings: Settings, console: Console) -> bool:
    """Import, stream, decide, act, audit, replay, verify and report. True when everything is proven."""
    refuse_where_managed(settings)
    stages, started_utc = Stages(console, pace=pace_of(settings)), utc_now()
    world = _seal(wanted, settings, stages)
    config = _config(wanted, world, settings)
    unnamed = refuse_unnamed(world, wanted.policy, go_on=wanted.let_gate_refuse)
    refuse_other_config(wanted.directory, config)  # before anything is started
    read_bus_properties(settings.bus_properties)  # one that cannot be read is refused, too
    compile_kernels(stages)
    with ExitStack() as stack:
        with stages.stage("start PostgreSQL and Kafka", starts=True):
            servers = stack.enter_context(Substrate(wanted.directory, settings))
        run, properties = _wired(wanted.directory, config, settings, servers)
        with stages.stage("start gate and worker", starts=True):
            open_topics(run, settings)
            prepare(run.dsn)
            running = [stack.enter_context(processes.gate(run)), stack.enter_context(processes.worker(run))]
            bring_to_ready(run)
        for line in table(processes_of(run, [*servers.servers, *running])):
            stages.say(line)
        with stages.stage("stream, decide, act and audit") as streaming:
            kept = processes.Kept([*servers.servers, *running], stages.say)
            streaming.rows = _stream(run, world.manifest.rows, unnamed, wanted, kept, console, stages.pace)
        seen = observe(run, started_utc, [*servers.servers, *running], properties, streaming.rows, refused_calls(run))
        write_evidence(run, stages, settings, seen)  # a proof that is interrupted is resumed with nothing left to see
        for member in reversed(running):
            member.stop()
        with stages.stage("count what was admitted", world.manifest.rows):
            entry = entry_of(run, properties)
        refused = refused_text(seen.aside, world.manifest.rows)
        if refused:
            stages.say(refused)
        admitted = entry.admitted > 0  # of payments that were all refused there is nothing to prove
        proven = admitted and prove(run, stages, world.manifest.rows)
        write_evidence(run, stages, settings, seen, entry)
    reported = assay(run, "report") == 0
    verdict = verdict_of(seen, world.manifest.rows, admitted=admitted, proven=proven and reported)
    _conclude(run, stages, verdict=verdict)
    return proven and reported


def _config(wanted: Wanted, world: SealedWorld, settings: Settings) -> RunConfig:
    """Raises as `world_config` and `as_profiled`, and Stop(VAULT_KEY_MISSING)."""
    config = as_profiled(world_config(wanted.platform_run_id, world.manifest, wanted.policy), wanted.directory, settings)
    key_for(config.pseudonymise, settings)
    return config


def _seal(wanted: Wanted, settings: Settings, stages: Stages) -> SealedWorld:
    with stages.stage("import and seal the world") as running:
        _, store = claim_store(wanted.directory, wanted.platform_run_id, settings)
        world = import_world(wanted.file, load_mapping(wanted.mapping), store, time.time_ns() // 1_000, aside=wanted.aside)
        running.rows = world.manifest.rows
    if world.manifest.aside:
        stages.say(set_aside_text(world.manifest.aside))
    return world


def _wired(directory: Path, config: RunConfig, settings: Settings, servers: Substrate) -> tuple[Run, dict[str, str]]:
    """The run, and how who reads it reaches Kafka."""
    claim_topics(directory, config, settings, servers.bootstrap, read_bus_properties(settings.bus_properties))
    ports = settings.gate_port or free_port(), settings.web_port or free_port()
    run = wire(directory, config, settings, servers.bootstrap, servers.dsn, *ports, servers.sql_roles, servers.bus_users)
    return run, properties_of(run, BusUser.READER, settings)


def _stream(run: Run, rows: int, unnamed: int, wanted: Wanted, kept: processes.Kept, console: Console, pace: Pace) -> int:
    """Stream the world and deliver its labels until every row is audited or refused; how many were audited now, not earlier in this run.

    So many rows are `unnamed`: the gate will refuse them, and nobody has to wait for them.
    """
    before, aside = audited(run), f" · {unnamed:,} of {rows:,} are refused at the gate" if unnamed else ""
    line = ProgressLine("audited", rows - unnamed, console, time.monotonic, before, pace)
    stream = processes.streamer(run, wanted.speedup, let_gate_refuse=wanted.let_gate_refuse)
    with stream, processes.labels(run, wanted.speedup) as labels, line:
        # the gate seals what it refused when it rests: it is waited for until the refused ones can be counted
        until_done(run, rows, kept, [stream, labels], lambda done, note: line.show(done, note + aside))
    return audited(run) - before


def _conclude(run: Run, stages: Stages, *, verdict: str) -> None:
    """How to look further, what was proven, and where it stands."""
    command, directory = own_command(), shlex.quote(str(run.directory))
    decisions = read_decisions(run.store)
    most = None if decisions is None or decisions.is_empty() else decisions.sort("score", descending=True).row(0, named=True)
    some = "" if most is None else shlex.quote(short_id(run, most["ts_us"], most["event_id"]))
    ours = (run.directory / "servers" / "kafka").is_dir()
    shown = (f"  {command} decision show {some} --run {directory}",) if some else ()
    lines = (
        "",
        "look further:",
        *shown,
        *(() if some else (f"  {command} quarantine list --run {directory}",)),
        *(("and with the run's servers started again:", f"  {command} substrate up --dir {directory}") if ours else ()),
        f"  {command} topic cat {RTDL} --limit 3 --run {directory}",
        "",
        f"{verdict}, in {stages.wall_s:.0f} s",
        f"report: {run.directory / 'report.html'}",
    )
    for line in lines:
        stages.console.print(Text(line), soft_wrap=True)
