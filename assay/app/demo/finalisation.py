"""What is known of a run when it ends, by itself or by Ctrl-C: figures seen while it ran, the proof, and the evidence of both."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from assay.agents.specs import Role
from assay.agents.topology import TOPOLOGY
from assay.app.demo import versions
from assay.app.demo.stages import Stages, in_run
from assay.app.demo.watch import Counts, dead_letters, worker_counters
from assay.app.metrics import LANE_BATCH
from assay.app.report.evidence import AuditEvidence, Entry, PartClaim, ProcessUsage, RunEvidence
from assay.app.report.told_answers import answers_of
from assay.app.run.directory import Run
from assay.app.settings import Settings
from assay.app.substrate import Server


class Observed(NamedTuple):
    """What was seen of a run while it ran. `latency_ms` is None when this session decided nothing."""

    started_utc: str
    processes: tuple[ProcessUsage, ...]
    aside: Counts
    latency_ms: dict[str, float] | None
    refused_calls: dict[str, int] | None = None


def observe(
    run: Run,
    started_utc: str,
    running: Sequence[Server],
    properties: Mapping[str, str],
    decided: int,
    calls: dict[str, int] | None,
) -> Observed:
    """Ask the worker and the topics before anything is stopped. `decided` are the payments of this session, `calls` what the gate
    said of calls that it refused (`watch.refused_calls`)."""
    # without payments a worker still journals signals and notes: their latency is not what is meant
    latency_ms = batch_latency_ms(run) if decided else None
    return Observed(started_utc, processes_of(run, running), dead_letters(run, properties), latency_ms, calls)


def prove(run: Run, stages: Stages, rows: int) -> bool:
    """Replay in a fresh process and verify the audit chain against journal and bus; both write their evidence."""
    with stages.stage("replay in a fresh process", rows):
        replayed = assay(run, "replay", "--verify")
    with stages.stage("verify the audit chain", rows):
        audited = assay(run, "audit", "verify")
    audit = AuditEvidence.read(run.store)
    return replayed == 0 and audited == 0 and audit is not None and audit.recomputed is not None


def verdict_of(seen: Observed, rows: int, *, admitted: bool, proven: bool) -> str:
    """What was proven of a world's rows, in words."""
    if not admitted:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(seen.aside.by_reason.items()))
        return f"NOTHING WAS ADMITTED: every payment was refused ({reasons}); there is nothing to prove"
    if not proven:
        return "NOT PROVEN: see ✗ and ? above"
    refused = refused_text(seen.aside, rows, "payments decided and audited")
    return f"proven: {f'{refused};' if refused else 'every payment decided and audited,'} every decision replayed alike"


def refused_text(aside: Counts, rows: int, done: str = "decided") -> str:
    """Such as `388 of 400 decided; 12 refused at the gate`; empty if nothing was refused."""
    refused = [(aside.at_gate, "at the gate"), (aside.in_lanes, "in the lanes")]
    where = [f"; {count:,} refused {place}" for count, place in refused if count]
    return f"{rows - aside.at_gate - aside.in_lanes:,} of {rows:,} {done}{''.join(where)}" if where else ""


def assay(run: Run, *command: str, quiet: bool = False) -> int:
    """Run one of our commands as a process of its own; what it prints is shown, unless `quiet`. Errors always are."""
    argv = [sys.executable, "-m", "assay", *command, "--run", str(run.directory)]
    return subprocess.run(argv, check=False, stdout=subprocess.DEVNULL if quiet else None).returncode


def batch_latency_ms(run: Run) -> dict[str, float] | None:
    """Percentiles of journal record → decisions acknowledged since the worker's start, to two digits; of several shards the slowest."""
    lane, found = TOPOLOGY.with_role(Role.DECIDE).name, dict[str, float]()
    for name, value in worker_counters(run).items():
        if name.startswith(f"{LANE_BATCH.percentiles}{{{lane},"):
            percent = "p" + name[:-1].split(",")[1]  # labels stand in the order of their names: lane, percentile, shard
            found[percent] = max(found.get(percent, 0.0), value * 1_000)
    return {percent: ms for percent, ms in found.items() if ms != float("inf")} or None


def processes_of(run: Run, running: Sequence[Server]) -> tuple[ProcessUsage, ...]:
    """Where to look at each, paths as seen from the run's directory."""
    home = run.directory
    return tuple(
        ProcessUsage(name=s.name, pid=s.pid or None, port=s.port or None, log=in_run(s.log, home), data=in_run(s.data, home))
        for s in running
    )


def write_evidence(run: Run, stages: Stages, ours: Settings, seen: Observed, entry: Entry | None = None, *, live: bool = False) -> None:
    """Put the run's evidence in place of an earlier one. `entry` is how payments came in, if that was counted."""
    admitted = entry.admitted if live and entry is not None else None
    latency_ms, latency_utc = latency_of(seen, RunEvidence.read(run.store))
    RunEvidence(
        started_utc=seen.started_utc,
        finished_utc=utc_now(),
        machine=machine(),
        stages=tuple(stages.done),
        parts=_parts(run, ours),
        processes=seen.processes,
        quarantined=seen.aside.by_reason,
        refused_calls=seen.refused_calls,
        # of a live run the gate's refusals never came in
        refused_triggers=seen.aside.in_lanes + (seen.aside.at_gate if admitted is None else 0),
        refused_labels=seen.aside.labels_in_lanes,
        admitted_triggers=admitted,
        entry=entry,
        answers=answers_of(run, ours),
        latency_ms=latency_ms,
        latency_utc=latency_utc,
        digests={"run_config_digest": run.config.digest.hex()},
    ).write(run.store)


def latency_of(seen: Observed, before: RunEvidence | None) -> tuple[dict[str, float] | None, str]:
    """Latency and when the session began that measured it: this one, or, if it decided nothing, the one in the evidence so far."""
    if seen.latency_ms is None and before is not None:
        return before.latency_ms, before.latency_utc or before.started_utc
    return seen.latency_ms, seen.started_utc


def reopen(run: Run) -> None:
    """A live run goes on: how many payments came in, and how, is known again when it ends."""
    before = RunEvidence.read(run.store)
    if before is not None:
        before.model_copy(update={"admitted_triggers": None, "entry": None}).write(run.store)


def _parts(run: Run, ours: Settings) -> tuple[PartClaim, ...]:
    kafka, postgres = "Apache Kafka" + (" (given)" if ours.bus else ""), "PostgreSQL" + (" (given)" if ours.sql else "")
    claim, name = run.store.described()
    return (
        PartClaim(role="bus", claim="parity", name=kafka, version=versions.kafka(run, ours)),
        PartClaim(role="SQL", claim="parity", name=postgres, version=versions.postgres(run.dsn)),
        PartClaim(role="objects", claim="parity" if claim == "parity" else "smoke", name=name),
    )


def machine() -> str:
    """The machine in one line: cores, architecture, system, Python."""
    return f"{os.cpu_count()} cores {platform.machine()}, {platform.system()} {platform.release()}, CPython {platform.python_version()}"


def utc_now() -> str:
    """The wall clock as evidence has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
