"""`assay gate`: the ingestion gate of one run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.gate.connections import connections_for, raise_file_limit
from assay.app.gate.process import build, serve
from assay.app.run.directory import Run
from assay.app.run.frozen import refuse_changed
from assay.app.run.secrets_file import refuse_without_key
from assay.app.screen import say
from assay.app.settings import load_settings
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
) -> None:
    """Admit events over HTTP until SIGTERM; what was taken is finished first. GET /healthz says what is missing."""
    settings = load_settings()
    host = settings.gate_host if host is None else host
    wired = Run.load(run)
    refuse_without_key(wired.api_key, run)
    refuse_changed(wired)
    connections_max = connections_for(raise_file_limit(), settings.gate_connections_max)
    properties = properties_of(wired, BusUser.GATE, settings)
    gate = build(
        wired,
        properties,
        body_timeout_s=settings.gate_body_timeout_s,
        connections_max=connections_max,
        bind=host,
        seal_after_s=settings.seal_after_s,
    )

    def listening(bound: int) -> None:
        say(f"gate listening on http://{host}:{bound} for {wired.platform_run_id}")
        for reason in gate.health.reasons():
            say(f"gate is RED: {reason}")

    port = settings.gate_port if port is None else port
    try:
        asyncio.run(serve(gate, host, port, listening))
    except OSError as error:
        if error.filename is not None:
            raise
        what = f"the gate cannot listen there: {error.strerror or error}"
        remedy = "Choose another --host or --port, or ASSAY_GATE_HOST and ASSAY_GATE_PORT; port 0 takes a free one."
        raise Stop(Reason.PORT_UNAVAILABLE, what, where=f"{host}:{port}", remedy=remedy) from None
