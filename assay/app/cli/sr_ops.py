"""`assay sr reemit | supersede | quarantine | rebuild-index`: what an operator does to runs."""

from __future__ import annotations

import asyncio
import getpass
import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.app.authority.store import open_authority
from assay.app.bus.publisher import KafkaPublisher
from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.cli.sr_answers import AuthorityOption, JsonOption, RunIdOption, RunOption, document_of, refuse_unready, tell
from assay.app.gate.client_certificates import TlsFiles, tls_context, tls_files
from assay.app.run.directory import Run
from assay.app.run.keys import RunKeys
from assay.app.runner.access import Access
from assay.app.runner.event_kinds import KINDS
from assay.app.runner.of_run import owner_of, runner_of
from assay.app.runner.rebuild import quarantine_of, quarantined, rebuild_index
from assay.app.runner.reemit import What
from assay.app.runner.reemit import reemit as say_again
from assay.app.runner.request import read_request, request_of_run
from assay.app.runner.service import RunnerService
from assay.app.screen import say, say_json
from assay.app.telemetry import Telemetry, log_to

#: how long one publication is tried: it ends before the lease under which it began, so who gives up can still record that
PUBLISHED_WITHIN_MS = 60_000

#: how long calls over gRPC have to end
GRPC_ENDS_WITHIN_S = 5.0

quarantine = plain_app("List and show runs that were set aside.", no_args_is_help=True)


def publisher_of(run: Run) -> KafkaPublisher:
    """The bus of a run, as its runner."""
    return KafkaPublisher(run.bootstrap, run.namespace, properties_of(run, BusUser.RUNNER), PUBLISHED_WITHIN_MS)


def reemit(
    run: RunOption,
    *,
    reason: Annotated[str, typer.Option(help="why it is said again; kept in the record")],
    run_id: RunIdOption = "",
    kind: Annotated[What, typer.Option(help="what may be said")] = What.BOTH,
    requested_by: Annotated[str, typer.Option(help="who asks; empty: the user of this machine")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be said")] = False,
    emit_platform_run_id: Annotated[str, typer.Option(help="say it for another platform run")] = "",
    override: Annotated[Path | None, typer.Option(help="file with the approved override for that")] = None,
    authority: AuthorityOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say READY, or that a run ended without it, again: with the id that it had, so that whoever heard it does nothing twice."""
    wired = Run.load(run)
    document: dict[str, Any] = {
        "run_id": run_id or wired.config.scenario_run_id,
        "reemit_kind": kind.value,
        "reason": reason,
        "requested_by": requested_by or getpass.getuser(),
        "dry_run": dry_run,
        **({"emit_platform_run_id": emit_platform_run_id} if emit_platform_run_id else {}),
        **({"cross_run_override": document_of(override)} if override else {}),
    }
    answer = say_again(runner_of(wired, publisher_of(wired), authority), document)
    if as_json:
        say_json(answer.as_json())
        return
    say(f"{answer.state}: {answer.message} {' '.join(answer.published)}".rstrip())


def supersede(
    run: RunOption,
    *,
    old: Annotated[Path, typer.Option(help="directory of the run that is superseded")],
    purpose: Annotated[str, typer.Option(help="why; kept in the records of both")],
    old_run_id: Annotated[str, typer.Option(help="its scenario run; empty: that of its directory")] = "",
    authority: AuthorityOption = "",
    as_json: JsonOption = False,
) -> None:
    """Bring a run to READY that supersedes another. Both records say so; the READY of the old one stays as it was."""
    wired, before = Run.load(run), Run.load(old)
    known = {"supersedes_run_id": old_run_id or before.config.scenario_run_id, "supersession_purpose": purpose}
    asked = read_request({**request_of_run(wired.config), **known})
    answer = runner_of(wired, publisher_of(wired), authority).submit(asked, superseded=before.store)
    tell(answer, as_json=as_json)
    refuse_unready(answer)


def serve(
    run: RunOption,
    *,
    host: Annotated[str, typer.Option(help="address to listen on; this machine only by default")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="port to listen on")] = 8090,
    grpc_port: Annotated[int, typer.Option(min=0, max=65_535, help="port for gRPC beside it; 0 for none")] = 0,
    actor: Annotated[list[str] | None, typer.Option(help="who may submit; repeat it; without it, all with a key")] = None,
    reemitter: Annotated[list[str] | None, typer.Option(help="who may re-emit; without it, the actors")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM file with the runner's certificate: TLS on both ports")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file with its key")] = None,
    client_ca: Annotated[Path | None, typer.Option(help="PEM file of authorities; a client of theirs needs no key")] = None,
    authority: AuthorityOption = "",
) -> None:
    """Answer over HTTP as the commands do, and over gRPC where it has a port, until SIGINT or SIGTERM.

    Every call sends a key of the run, or shows a client certificate.

    Example: assay sr serve --run runs/bank --grpc-port 8091
    """
    from assay.app.runner.run_metrics import RunMetrics
    from assay.app.runner.server import RunnerServer
    from assay.app.runner.server import serve as listen

    wired, files = Run.load(run), tls_files(tls_cert, tls_key, client_ca, "runner")
    tls = None if files is None else tls_context(files, "runner")
    access = Access(RunKeys(wired).accepts, frozenset(actor or ()), frozenset(reemitter or ()))
    telemetry = Telemetry([RunMetrics(time.monotonic), log_to("assay.sr")], KINDS)
    runner = replace(runner_of(wired, publisher_of(wired), authority), telemetry=telemetry)
    service = RunnerService(runner, access)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    url = f"{'http' if tls is None else 'https'}://{host}:{port}/v1/runs"

    async def until_a_signal() -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        with _over_grpc(service, host, grpc_port, files):
            await listen(RunnerServer(service), (host, port), stopped, lambda: say(f"the Scenario Runner answers at {url}"), tls)

    asyncio.run(until_a_signal())


@contextmanager
def _over_grpc(service: RunnerService, host: str, port: int, tls: TlsFiles | None) -> Iterator[None]:
    """Answer over gRPC meanwhile, where a port is given. Calls on their way have some seconds at the end."""
    if not port:
        yield
        return
    from assay.app.runner.grpc_server import grpc_server

    server, _ = grpc_server(service, host, port, tls)
    server.start()
    say(f"the Scenario Runner answers over gRPC at {host}:{port}")
    try:
        yield
    finally:
        server.stop(GRPC_ENDS_WITHIN_S).wait()


def rebuild(run: RunOption, *, authority: AuthorityOption = "", as_json: JsonOption = False) -> None:
    """Write the registry of runs and their statuses again, as their records say. What is right stays as it is."""
    wired = Run.load(run)
    done = rebuild_index(wired.store, open_authority(owner_of(wired, authority)))
    if as_json:
        say_json(done._asdict())
        return
    say(f"{done.runs} runs, {done.statuses_written} statuses written")


@quarantine.command("list", short_help="runs whose evidence contradicts itself")
def list_quarantine(run: RunOption, *, as_json: JsonOption = False) -> None:
    """Runs that were set aside because their evidence contradicts itself."""
    notices = quarantined(Run.load(run).store)
    if as_json:
        say_json(notices)
        return
    say("\n".join(f"{notice['run_id']}  {notice['reason']}  {notice['ts_utc']}" for notice in notices) or "no run was set aside")


@quarantine.command("show", short_help="one of them, with its fault")
def show_quarantine(run: RunOption, *, run_id: RunIdOption = "", as_json: JsonOption = False) -> None:
    """One run that was set aside, with the contradiction."""
    wired = Run.load(run)
    notice = quarantine_of(wired.store, run_id or wired.config.scenario_run_id)
    if as_json:
        say_json(notice)
        return
    say("\n".join(f"  {name:<16}{', '.join(value) if isinstance(value, list) else value}" for name, value in notice.items()))
