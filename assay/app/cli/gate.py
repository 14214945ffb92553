"""`assay gate`: the ingestion gate of one run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from ssl import SSLContext
from typing import Annotated, NamedTuple

import typer

from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.gate_preflight import preflight
from assay.app.cli.gate_resolve import resolve
from assay.app.cli.gate_vault import app as vault
from assay.app.cli.plain_app import plain_app
from assay.app.gate.callers import callers_of
from assay.app.gate.client_certificates import tls_context, tls_files
from assay.app.gate.connections import connections_for, raise_file_limit
from assay.app.gate.process import Gate, build, claims_of, serve
from assay.app.gate.processes import Processes
from assay.app.gate.rates import Rates, limit_of
from assay.app.gate.shared_buckets import SharedBuckets, new_table
from assay.app.run.directory import Run
from assay.app.run.frozen import refuse_changed
from assay.app.run.secrets_file import refuse_without_key
from assay.app.screen import say
from assay.app.settings import Settings, load_settings
from assay.contracts.errors import Stop
from assay.contracts.exit_codes import USAGE
from assay.contracts.reasons import Reason

app = plain_app("Run the ingestion gate of a run.", no_args_is_help=True)


def main(arguments: list[str]) -> int:
    """Run `assay gate`. The form of older versions, with options and no command, is refused by name."""
    if arguments and arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"):
        say("assay gate: 'assay gate' has commands now. To serve a run it is 'assay gate serve'.", error=True)
        return USAGE
    return app(arguments, standalone_mode=False, prog_name="assay gate") or 0


@app.callback()
def gate() -> None:
    """Run the ingestion gate of a run."""


@app.command("serve", short_help="admit events over HTTP", epilog="Example: assay gate serve --run runs/live")
def serve_gate(
    run: Annotated[Path, typer.Option(help="directory of the run")],
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="port to listen on; 0 takes a free one")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM file with the gate's certificate: it speaks TLS then")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file with its key")] = None,
    client_ca: Annotated[Path | None, typer.Option(help="PEM file of authorities; a client of theirs needs no key")] = None,
    processes: Annotated[int | None, typer.Option(min=1, max=64, help="processes that admit on this port; 1 by default")] = None,
    process: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Admit events over HTTP until SIGTERM; what was taken is finished first. GET /healthz says what is missing.

    Several processes share the port. One that dies is started again; what it had on its way is looked for on the bus.
    """
    settings = load_settings()
    host, port = settings.gate_host if host is None else host, settings.gate_port if port is None else port
    wired = Run.load(run)
    refuse_without_key(wired.api_key, run)
    refuse_changed(wired)
    count = settings.gate_processes if processes is None else processes
    if count > 1 and not process:
        given = {"--run": run, "--host": host, "--tls-cert": tls_cert, "--tls-key": tls_key, "--client-ca": client_ca}
        table = [new_table()] if settings.gate_rate_per_s else []
        raise typer.Exit(Processes(count, host, partial(_command, given, table), say, table).run(port))
    one = _process_of(process)
    files = tls_files(tls_cert or settings.gate_tls_cert, tls_key or settings.gate_tls_key, client_ca or settings.gate_client_ca)
    tls = None if files is None else tls_context(files)
    gate = build(
        wired,
        properties_of(wired, BusUser.GATE, settings),
        body_timeout_s=settings.gate_body_timeout_s,
        connections_max=connections_for(raise_file_limit(), settings.gate_connections_max),
        bind=host,
        seal_after_s=settings.seal_after_s,
        callers=callers_of(wired, settings),
        rates=_rates(settings, one.table),
        claims=claims_of(wired, one.number),
        ports=one.ports,
    )
    _serve(gate, host, port, tls, wired.platform_run_id)


app.command("preflight", short_help="whether a gate is ready, with evidence")(preflight)
app.command("resolve", short_help="settle events of which nobody knows whether they are admitted")(resolve)
app.add_typer(vault, name="vault", short_help="tokens of ids, and their end")


class _OneOf(NamedTuple):
    """Which of several processes this is: its number, the ports at which all of them tell their metrics, and the descriptor of the table of
    rates, if there is one. Without ports it is the only one."""

    number: int = 0
    ports: Sequence[int] = ()
    table: int | None = None


def _command(given: Mapping[str, object], table: Sequence[int], number: int, port: int, ports: Sequence[int]) -> list[str]:
    """How one of several processes is started."""
    process = ":".join([str(number), ",".join(map(str, ports)), *map(str, table)])
    options = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    return [sys.executable, "-m", "assay", "gate", "serve", *options, "--port", str(port), "--processes", "1", "--process", process]


def _process_of(said: str) -> _OneOf:
    if not said:
        return _OneOf()
    number, ports, *table = said.split(":")
    return _OneOf(int(number), [int(port) for port in ports.split(",")], int(table[0]) if table else None)


def _rates(settings: Settings, table: int | None) -> Rates:
    """The limit of each caller, which counts over all processes of the gate."""
    limit = limit_of(settings.gate_rate_per_s, settings.gate_rate_burst)
    return Rates(limit, None if table is None else SharedBuckets(table))


def _serve(gate: Gate, host: str, port: int, tls: SSLContext | None, platform_run_id: str) -> None:
    """Serve until the end. Raises Stop(PORT_UNAVAILABLE)."""

    def listening(bound: int) -> None:
        say(f"gate listening on {'http' if tls is None else 'https'}://{host}:{bound} for {platform_run_id}")
        for reason in gate.health.reasons():
            say(f"gate is {gate.health.state}: {reason}")

    try:
        asyncio.run(serve(gate, host, port, listening, tls))
    except OSError as error:
        if error.filename is not None:
            raise
        what = f"the gate cannot listen there: {error.strerror or error}"
        remedy = "Choose another --host or --port, or ASSAY_GATE_HOST and ASSAY_GATE_PORT; port 0 takes a free one."
        raise Stop(Reason.PORT_UNAVAILABLE, what, where=f"{host}:{port}", remedy=remedy) from None
