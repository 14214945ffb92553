"""A running gate: its parts wired for one run, started in order and drained on the way out."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ssl import SSLContext
from typing import Any

from aiohttp import web

from assay import __version__
from assay.agents.faust_shell.web_guard import LOOPBACK
from assay.app.gate.admission import Examiner
from assay.app.gate.arrivals import Arrivals
from assay.app.gate.callers import Callers, callers_of
from assay.app.gate.deciding_wiring import deciding_of
from assay.app.gate.decisions import Decisions
from assay.app.gate.examples import examples_of
from assay.app.gate.forgetting_thread import Forgetting
from assay.app.gate.health import Health
from assay.app.gate.horizon import horizon_of
from assay.app.gate.index import AdmissionIndex, Process
from assay.app.gate.log_rate import LogRate, out_of_files
from assay.app.gate.lookup import Lookup
from assay.app.gate.marks import LastMarks, Marks
from assay.app.gate.openapi import specification
from assay.app.gate.pipeline import Pipeline
from assay.app.gate.policy import AdmissionPolicy, shipped_admission_policy
from assay.app.gate.processes import when_orphaned
from assay.app.gate.pseudonyms import Pseudonyms, pseudonyms_of
from assay.app.gate.rates import Rates
from assay.app.gate.reach import Reach, reach_of
from assay.app.gate.resolving_thread import Resolving, resolving_of
from assay.app.gate.row_examples import row_examples
from assay.app.gate.run_names import RunNames
from assay.app.gate.sealing import Sealing
from assay.app.gate.server import GateServer, wall_clock_us
from assay.app.gate.settling import Settler
from assay.app.gate.siblings import Siblings, own_metrics
from assay.app.gate.spike import spikes_of
from assay.app.gate.unsettled import Unsettled
from assay.app.gate.warming import warm
from assay.app.governance import Governance
from assay.app.run.directory import Run
from assay.app.settings import load_settings
from assay.contracts.errors import Retry, Stop
from assay.contracts.limits import BODY_TIMEOUT_S, GATE_CONNECTIONS_MAX, SEAL_AFTER_S

PROBE_EVERY_S = 1.0
#: what the end of a gate may cost for facts that the store has not taken
GOVERNANCE_WITHIN_S = 3.0
GC_THRESHOLDS = (100_000, 50, 50)


class Halted:
    """The first Stop that a thread of the gate met, and who wants to know."""

    def __init__(self) -> None:
        self.stop: Stop | None = None
        self.tell: Callable[[], object] = lambda: None

    def __call__(self, stop: Stop) -> None:
        """Remember a Stop and pass it on."""
        self.stop = self.stop or stop
        self.tell()


@dataclass
class Gate:
    """The parts that are started and stopped together."""

    server: GateServer
    pipeline: Pipeline
    reach: Reach
    sealing: Sealing
    halted: Halted
    warm: Callable[[], object]
    governance: Governance
    resolving: Resolving
    forgetting: Forgetting
    siblings: Siblings | None = None
    pseudonyms: Pseudonyms | None = None

    @property
    def health(self) -> Health:
        """What is known of its parts."""
        return self.reach.health

    def start(self) -> None:
        """Begin to look and to admit. A missing broker or database is not an error here: the gate is RED until it comes.

        Raises Stop(GATE_ALREADY_RUNNING, VAULT_KEY_WRONG).
        """
        self.reach.control.start()
        with suppress(Retry):
            self.reach.claims.ready()
            if self.pseudonyms is not None:
                self.pseudonyms.vault.check_key()
        self.health.look()
        self.warm()
        self.health.start()
        self.sealing.start()
        self.pipeline.start()
        self.resolving.start()
        self.forgetting.start()

    def stop(self) -> None:
        """Finish what was taken, seal the segments, give everything back."""
        self.pipeline.drain()
        self.resolving.stop()
        self.forgetting.stop()
        self.health.stop()
        self.reach.control.stop()
        self.reach.publisher.close()
        self.sealing.stop()
        self.governance.close(GOVERNANCE_WITHIN_S)
        for index in (self.reach.claims, self.reach.settled, self.reach.probed, self.reach.resolved):
            index.close()


def build(
    run: Run,
    bus_properties: Mapping[str, str] | None = None,
    policy: AdmissionPolicy | None = None,
    clock: Callable[[], int] = wall_clock_us,
    body_timeout_s: float = BODY_TIMEOUT_S,
    connections_max: int = GATE_CONNECTIONS_MAX,
    bind: str = LOOPBACK,
    seal_after_s: float = SEAL_AFTER_S,
    callers: Callers | None = None,
    rates: Rates | None = None,
    claims: AdmissionIndex | None = None,
    ports: Sequence[int] = (),
) -> Gate:
    """Wire a process of a run's gate, which will listen on `bind`. Nothing else is connected yet than `claims`, the index of this process.

    `ports` are those at which its processes tell their metrics, none of a gate of one process.
    """
    policy, pins = policy or shipped_admission_policy(run.config.traffic), run.config.pins
    scope, reach, halted = {**pins.as_json(), "run_id": run.config.run_id}, reach_of(run, policy, bus_properties, claims), Halted()
    governance = Governance(run.store, run.config, "ingestion_gate", load_settings().profile, clock)
    spikes = spikes_of(governance, policy.revision, clock)
    sealing = Sealing(run, reach.logs, seal_after_s, process=reach.process.name, names=reach.names)
    examiner = Examiner(policy, scope, known := RunNames.of(run.config))
    pseudonyms = pseudonyms_of(run.config, load_settings(), examiner, reach.claims.ask)
    pipeline = _pipeline(run, reach, examiner, clock, halted, spikes.note, pseudonyms)
    resolving = resolving_of(run, policy, reach, lambda: pipeline.active, clock, bus_properties)
    reach.health.warnings += [spikes.warning, sealing.warning, resolving.warning]
    examples = _examples(run, scope, known, clock())
    ready = partial(warm, examples, examiner, (pins, run.config.run_id), clock())
    taking = scope, tuple(policy.topics), callers or callers_of(run, load_settings()), clock, body_timeout_s
    decisions, noticed = Decisions(run, reach.asked, bus_properties), reach.health.report
    deciding = deciding_of(run, decisions, clock, noticed, bus_properties, shared=bool(ports))
    answers = decisions, specification(__version__, examples)
    siblings = Siblings(ports, reach.process.number) if ports else None
    lookup, told = Lookup(run, reach.looked_up, reach.topics), siblings.exposition if siblings else own_metrics
    server = GateServer(pipeline, reach.health, *taking, *answers, connections_max, bind, rates, lookup, deciding, told)
    forgetting = Forgetting(reach.forgets, run.platform_run_id, horizon_of(run.config, policy.topics))
    return Gate(server, pipeline, reach, sealing, halted, ready, governance, resolving, forgetting, siblings, pseudonyms)


def _pipeline(
    run: Run,
    reach: Reach,
    examiner: Examiner,
    clock: Callable[[], int],
    halted: Halted,
    refused: Callable[[int], None],
    pseudonyms: Pseudonyms | None,
) -> Pipeline:
    """What admits in this process."""
    pins, of_run = run.config.pins, run.platform_run_id
    last = LastMarks(reach.claims, of_run, examiner.policy.future_tolerance_us)
    earlier = Unsettled(reach.settled, of_run, lambda: pipeline.active)
    pipeline = Pipeline(
        arrivals=Arrivals(examiner, reach.claims, examiner.names, of_run, last, reach.control.current, pseudonyms),
        index=reach.claims,
        publisher=reach.publisher,
        settler=Settler(reach.settled, reach.publisher, reach.writer, reach.logs, clock, lambda: reach.control.standing.policy),
        marks=(last, Marks(reach.publisher, pins, earlier.wait)),
        health=reach.health,
        run=(pins, run.config.run_id),
        clock=clock,
        halt=halted,
        refused=refused,
    )
    return pipeline


def _examples(run: Run, scope: Mapping[str, str | int], names: RunNames, now_us: int) -> dict[str, Any]:
    """Bodies that this run takes."""
    if run.config.traffic:
        return row_examples(scope, run.config.traffic, now_us)
    return examples_of(scope, names.policy_entities, next(iter(names.policy_currencies), "EUR"), now_us)


def claims_of(run: Run, number: int = 0) -> AdmissionIndex:
    """The index with which a process of a run's gate claims. Where the server answers, it has its lock before it opens a file of its own.

    Raises Stop(GATE_ALREADY_RUNNING).
    """
    claims = AdmissionIndex(run.sql_of_gate, process=Process(run.platform_run_id, number))
    with suppress(Retry):
        claims.ready()
    return claims


async def serve(gate: Gate, host: str, port: int, listening: Callable[[int], None], tls: SSLContext | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then drain. `listening` is told the port once calls are taken. Raises what halted the gate."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(out_of_files)
    for name in ("assay.gate", "assay.gate.callers", "assay.gate.http", "assay.keys", "asyncio"):
        logging.getLogger(name).addFilter(LogRate(time.monotonic))
    gate.halted.tell = partial(loop.call_soon_threadsafe, stopping.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if gate.siblings is not None:
        when_orphaned(partial(loop.call_soon_threadsafe, stopping.set))
    runner = gate.server.runner()
    await runner.setup()
    beside = None if gate.siblings is None else await gate.siblings.serve()
    site = web.TCPSite(runner, host, port, ssl_context=tls, reuse_port=beside is not None)
    await loop.run_in_executor(None, gate.start)
    _calm_collector()
    await site.start()
    listening(bound_port(runner))
    await stopping.wait()
    await loop.run_in_executor(None, gate.stop)
    await runner.cleanup()
    if beside is not None:
        await beside.cleanup()
    if gate.halted.stop is not None:
        raise gate.halted.stop


def _calm_collector() -> None:
    """Admission makes many objects and no cycles: look for cycles seldom, and never among what was there at the start."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def bound_port(runner: web.AppRunner) -> int:
    """The port a started server listens on."""
    return int(runner.addresses[0][1])
