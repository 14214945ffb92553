"""A live run: kept going while payments are posted, and its orderly end, which proves it as a demo is proven."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from assay.app.bus.users import BusUser, properties_of
from assay.app.demo.admitted import entry_of
from assay.app.demo.finalisation import assay, observe, prove, write_evidence
from assay.app.demo.processes import Kept
from assay.app.demo.stages import Stages
from assay.app.demo.watch import audited, dead_letters, refused_calls, until_done
from assay.app.progress import ProgressLine
from assay.app.report.evidence import Stage
from assay.app.run.directory import Run
from assay.app.settings import Settings
from assay.app.substrate import Server

LOOK_EVERY_S = 0.5
#: after this long without a process ending, earlier restarts are forgotten
SETTLED_S = 60.0


class LiveRun(NamedTuple):
    """A run with its processes, and this session of it."""

    run: Run
    settings: Settings
    stages: Stages
    started_utc: str
    audited_before: int
    servers: Sequence[Server]
    gate: Server
    worker: Server


def serve(live: LiveRun, stop: threading.Event) -> None:
    """Keep every process running until `stop`. Raises Stop(RUN_INCOMPLETE) when that does not help."""
    kept = Kept([*live.servers, live.gate, live.worker], live.stages.say)
    begun = alive_since = time.monotonic()
    while not stop.wait(LOOK_EVERY_S):
        if not all(process.alive for process in kept.processes if process.owned):
            alive_since = time.monotonic()
        elif time.monotonic() - alive_since > SETTLED_S:
            kept.progressed()
        kept.look()
    live.stages.done.append(Stage(name="decide as posted", wall_s=time.monotonic() - begun))


def conclude(live: LiveRun) -> bool:
    """Take nothing more, decide what was admitted, prove all of it, write the evidence and the report; whether all holds.

    Evidence comes last: until then nothing is said of how many payments there were.
    """
    run, stages, properties = live.run, live.stages, properties_of(live.run, BusUser.READER, live.settings)
    calls = refused_calls(run)
    live.gate.stop()
    with stages.stage("count what was admitted"):
        entry = entry_of(run, properties)
        rows = entry.admitted - dead_letters(run, properties).in_lanes
    line = ProgressLine("audited", rows, stages.console, time.monotonic, audited(run), stages.pace)
    with stages.stage("decide what was left"), line:
        until_done(run, rows, Kept([*live.servers, live.worker], stages.say), [], line.show)
    everything = [*live.servers, live.gate, live.worker]
    seen = observe(run, live.started_utc, everything, properties, audited(run) - live.audited_before, calls)
    live.worker.stop()
    proven = not entry.admitted or prove(run, stages, entry.admitted)
    write_evidence(run, stages, live.settings, seen, entry, live=True)
    return assay(run, "report") == 0 and proven
