"""`assay up`: Kafka, PostgreSQL, gate and worker, deciding payments as they are posted."""

from __future__ import annotations

import shlex
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from assay.app.bus.properties import read_bus_properties
from assay.app.cli.plain_app import plain_app
from assay.app.cli.sr_answers import refuse_unready, say_held
from assay.app.cli.sr_ops import publisher_of
from assay.app.database.prepare import prepare
from assay.app.demo import processes
from assay.app.demo.compiled import compile_kernels
from assay.app.demo.finalisation import reopen, utc_now
from assay.app.demo.id_terms import IdTerms, id_terms, refuse_other_ids
from assay.app.demo.live_run import LiveRun, conclude, serve
from assay.app.demo.new_run import as_profiled, claim_topics, live_config, open_topics, refuse_other_policy, run_id_at, wire
from assay.app.demo.stages import Stages
from assay.app.demo.watch import audited
from assay.app.pace import pace_of
from assay.app.policy.documents import Policy, load_policy
from assay.app.run.begun import begun_in
from assay.app.run.directory import Run, RunConfig
from assay.app.run.own_command import own_command
from assay.app.runner.of_run import runner_of
from assay.app.runner.patience import submitted
from assay.app.runner.request import read_request, request_of_run
from assay.app.screen import Screen
from assay.app.settings import Settings, load_settings
from assay.app.settled import refuse_where_managed
from assay.app.substrate import Substrate
from assay.app.substrate.ports import free_port
from assay.app.substrate.state import refuse_running
from assay.app.vault.key import key_for
from assay.contracts.api_key import KEY_HEADER

app = plain_app()


def main(arguments: list[str]) -> int:
    """Run `assay up`."""
    return app(arguments, standalone_mode=False, prog_name="assay up") or 0


@app.command()
def up(
    run: Annotated[Path | None, typer.Option(help="directory of the run; the same directory goes on where it stopped")] = None,
    policy: Annotated[
        str, typer.Option(help="a shipped policy, or a folder or file of your own (see `assay policy`); empty takes handbook")
    ] = "",
    pseudonymise: Annotated[list[str] | None, typer.Option(help="entity whose ids are replaced by tokens of the vault; repeat it")] = None,
    ids_in_clear: Annotated[list[str] | None, typer.Option(help="entity whose ids may read as card numbers; repeat it")] = None,
) -> int:
    """Start everything and decide what is posted, until SIGINT or SIGTERM; then prove it. A second signal leaves out the proof."""
    settings, console = load_settings(), Screen()
    read_bus_properties(settings.bus_properties)  # one that cannot be read is refused before anything is started
    directory, loaded = run or settings.runs / "live", load_policy(policy or "handbook")
    config = _config(directory, loaded, settings, id_terms(pseudonymise, ids_in_clear), named=bool(policy))
    refuse_where_managed(settings)
    stop, stages, started_utc = threading.Event(), Stages(console, pace=pace_of(settings)), utc_now()
    with ExitStack() as stack:
        stack.enter_context(begun_in(directory, "assay up", made=not directory.exists()))
        refuse_running(directory, settings)
        compile_kernels(stages)
        _on_signals(lambda *_: stop.set())
        with stages.stage("start PostgreSQL and Kafka", starts=True):
            servers = stack.enter_context(Substrate(directory, settings))
        fresh = not (directory / "run.json").is_file()
        wired = _wired(directory, config, settings, servers)
        with stages.stage("start gate and worker", starts=True):
            open_topics(wired, settings)
            prepare(wired.dsn)
            asked = read_request(request_of_run(wired.config))
            refuse_unready(submitted(runner_of(wired, publisher_of(wired)), asked, lambda run_id: say_held(run_id, console)))
            reopen(wired)
            audited_before = audited(wired)
            gate, worker = stack.enter_context(processes.gate(wired)), stack.enter_context(processes.worker(wired))
        live = LiveRun(wired, settings, stages, started_utc, audited_before, servers.servers, gate, worker)
        _explain(console, wired, fresh=fresh)
        serve(live, stop)
        _on_signals(signal.default_int_handler)
        console.print("stopping, and proving what was decided; Ctrl-C once more leaves the proof out")
        proven = conclude(live)
    console.print("the same command goes on with this run")
    return 0 if proven else 1


def _on_signals(handler: Callable[[int, FrameType | None], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _config(directory: Path, policy: Policy, settings: Settings, ids: IdTerms, *, named: bool) -> RunConfig:
    """That of the run which goes on, else of a new one. `named`: somebody said this policy, and the run must have it.

    Raises Stop(POLICY_CHANGED_MID_RUN, RUN_SCOPE_MISMATCH, ENTITY_UNKNOWN, VAULT_KEY_MISSING).
    """
    if named:
        refuse_other_policy(directory, policy)
    refuse_other_ids(directory, ids)
    known = Run.load(directory) if (directory / "run.json").is_file() else None
    config = known.config if known else live_config(run_id_at(time.time_ns() // 1_000), policy, ids)
    key_for(config.pseudonymise, settings)
    return config


def _wired(directory: Path, config: RunConfig, settings: Settings, servers: Substrate) -> Run:
    config = as_profiled(config, directory, settings)
    claim_topics(directory, config, settings, servers.bootstrap, read_bus_properties(settings.bus_properties))
    ports = settings.gate_port or free_port(), settings.web_port or free_port()
    return wire(directory, config, settings, servers.bootstrap, servers.dsn, *ports, servers.sql_roles, servers.bus_users)


def _explain(console: Console, run: Run, *, fresh: bool) -> None:
    """The key is shown once, to a person: a log that this is written to keeps no key."""
    entities = ", ".join(f'"{name}": "{name[0]}-1"' for name in run.config.features["entities"])
    body = f'{{"event_id": "pay-1", "amount_minor": 25000, "currency": "EUR", "entities": {{{entities}}}}}'
    command, directory = own_command(), shlex.quote(str(run.directory))
    key = f'-H "{KEY_HEADER}: $KEY"'
    shown = f"key {run.api_key}, shown this once: `{command} key show --run {directory}` prints it"
    lines = (
        f"run {run.platform_run_id} in {run.directory}, logs in {run.logs}",
        *([shown] if fresh and console.is_terminal else []),
        "",
        "post a payment:",
        f"  KEY=$({command} key show --run {directory})",
        f"  curl -sw '\\n' {run.gate_url}/v1/payments {key} -d '{body}'",
        "read its decision, with reasons:",
        f"  curl -sw '\\n' {run.gate_url}/v1/decisions/pay-1 {key}",
        f"  {command} decision show pay-1 --run {directory}",
        "tell later what it was:",
        f"""  curl -sw '\\n' {run.gate_url}/v1/labels {key} -d '{{"payment": "pay-1", "label": "FRAUD"}}'""",
        "prove all decisions so far:",
        f"  {command} replay --verify --run {directory}",
        f"  {command} audit verify --run {directory}",
        "",
        f"every call, from a browser: {run.gate_url}/docs",
        f"metrics: {run.gate_url}/metrics and {run.worker_url}/metrics",
        "Ctrl-C stops everything, proves it and writes the report.",
    )
    console.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False)
