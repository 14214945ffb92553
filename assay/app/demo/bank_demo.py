"""A bank's own outputs through the gate: made, sorted, READY, streamed with their labels, admitted, and counted against READY's figures."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from assay.app.bus.properties import read_bus_properties
from assay.app.database.prepare import prepare
from assay.app.demo import processes
from assay.app.demo.bank_run import bank_config, bank_request, outputs_of, sort_views
from assay.app.demo.compiled import compile_kernels
from assay.app.demo.new_run import as_profiled, claim_topics, open_topics, refuse_other_config, wire
from assay.app.demo.readiness import bring_to_ready
from assay.app.demo.stages import Stages
from assay.app.demo.watch import Senders
from assay.app.pace import Pace, pace_of
from assay.app.pack.sealed_pack import open_pack
from assay.app.policy.documents import Policy
from assay.app.progress import ProgressLine
from assay.app.report.receipted import admitted_by_class
from assay.app.run.directory import Run
from assay.app.runner.documents import FACTS_VIEW
from assay.app.screen import Screen
from assay.app.settings import Settings, load_settings
from assay.app.settled import refuse_where_managed
from assay.app.stores.durable import replace_file
from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.keepers import Keepers
from assay.app.substrate import Substrate
from assay.app.substrate.ports import free_port
from assay.app.world.demo_payments import bank_of_world
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.event_classes import LABEL
from assay.contracts.traffic_modes import MODES, TrafficName

BANK, REQUEST = "bank", "request.json"
LOOK_EVERY_S = 0.5


class BankWanted(NamedTuple):
    """What to run: a bank of this scale and seed, one of its traffics, and how fast."""

    scale: str
    seed: int
    mode: TrafficName
    policy: Policy
    directory: Path
    speedup: float = 0.0


def run_bank_demo(wanted: BankWanted, settings: Settings, console: Screen) -> bool:
    """Stream the outputs of a bank and deliver its labels. True when the gate admitted every row of them once."""
    refuse_where_managed(settings)
    stages, mode = Stages(console, pace=pace_of(settings)), MODES[wanted.mode]
    bank = DirectoryStore(wanted.directory / BANK)
    with stages.stage("make the bank") as making:
        bank_of_world(wanted.scale, wanted.seed, bank, console)
    with stages.stage("sort its outputs") as making:
        making.rows = sort_views(bank, mode, console)
    config = as_profiled(bank_config(wanted.directory.name, open_pack(bank), wanted.policy, mode), wanted.directory, settings)
    refuse_other_config(wanted.directory, config)
    read_bus_properties(settings.bus_properties)
    compile_kernels(stages)
    with ExitStack() as stack:
        with stages.stage("start PostgreSQL and Kafka", starts=True):
            servers = stack.enter_context(Substrate(wanted.directory, settings))
        claim_topics(wanted.directory, config, settings, servers.bootstrap, read_bus_properties(settings.bus_properties))
        ports = settings.gate_port or free_port(), settings.web_port or free_port()
        run = wire(wanted.directory, config, settings, servers.bootstrap, servers.dsn, *ports, servers.sql_roles, servers.bus_users)
        with stages.stage("start the gate, ask for READY", starts=True):
            open_topics(run, settings)
            prepare(run.dsn)
            gate = stack.enter_context(processes.gate(run))
            request = wanted.directory / REQUEST
            replace_file(request, json.dumps(bank_request(config, mode, str(bank.root.resolve())), indent=1).encode())
            bring_to_ready(run, "--request", str(request))
        facts = _facts(run)
        with stages.stage("stream, deliver labels, admit") as streaming:
            kept = processes.Kept([*servers.servers, gate], stages.say)
            streaming.rows = _stream(run, wanted.speedup, kept, sum(facts.values()), console, stages.pace)
        gate.stop()  # it seals its receipts
    return _proven(run, facts, stages)


def _facts(run: Run) -> dict[str, int]:
    """Output → rows, as the facts view of READY says."""
    document = json.loads(run.store.read(FACTS_VIEW.key(run.config.scenario_run_id)))
    return {locator["output_id"]: locator["rows"] for locator in document["locators"]}


def _stream(run: Run, speedup: float, kept: processes.Kept, total: int, console: Screen, pace: Pace) -> int:
    """Stream and deliver until both have ended; how many rows were acknowledged now."""
    pack_id = open_pack(DirectoryStore(run.directory / BANK)).identity.pack_id
    keepers = Keepers(run, pack_id, load_settings())
    outputs = outputs_of(MODES[TrafficName(run.config.traffic)])

    def acknowledged() -> int:
        return sum(keepers.of(output_id).load(total).position for output_id in outputs)

    before = done = acknowledged()
    with (
        processes.streamer(run, speedup) as stream,
        processes.labels(run, speedup) as labels,
        ProgressLine("acknowledged", total, console, time.monotonic, before, pace) as line,
    ):
        senders = Senders([stream, labels], kept.say)
        while not senders.ended:
            kept.look()
            senders.look()
            if (now_done := acknowledged()) != done:
                done = now_done
                kept.progressed()
                senders.progressed()
            line.show(done)
            time.sleep(LOOK_EVERY_S)
        line.show(acknowledged())
    return acknowledged() - before


def _proven(run: Run, facts: dict[str, int], stages: Stages) -> bool:
    """Whether every row that READY names has one receipt of its admission; the table says how many of which class."""
    with stages.stage("count what was admitted") as counting:
        admitted: Counter[str] = admitted_by_class(run.store, run.directory)
        counting.rows = admitted.total()
    expected = {ENGINE_EVENTS[output_id].event_class: rows for output_id, rows in facts.items()}
    stages.say(f"{'output':<36}{'class':<28}{'rows':>10}{'admitted':>10}")
    for output_id, rows in facts.items():
        name = ENGINE_EVENTS[output_id].event_class
        stages.say(f"{output_id:<36}{name:<28}{rows:>10,}{admitted[name]:>10,}")
    stages.say(f"{'labels of the bank':<36}{LABEL:<28}{'':>10}{admitted[LABEL]:>10,}")
    proven = all(admitted[name] == rows for name, rows in expected.items())
    verdict = "proven: the gate admitted every row once" if proven else "NOT proven: rows are missing, or admitted twice"
    stages.console.print(f"\n{verdict}, in {stages.wall_s:.0f} s\nrun: {run.directory}", highlight=False, soft_wrap=True)
    stages.console.print("lanes do not join these rows yet: decisions are made about the bank's payments", highlight=False, soft_wrap=True)
    return proven
