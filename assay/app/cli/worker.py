"""`assay worker`: run the lanes of chosen packs of one run, under Faust."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.app.bus.topics import partitions_of
from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.run.directory import Run
from assay.app.screen import say
from assay.app.settings import load_settings

app = plain_app()


def main(arguments: list[str]) -> int:
    """Run `assay worker`."""
    return app(arguments, standalone_mode=False, prog_name="assay worker") or 0


@app.command()
def run_worker(
    run: Annotated[Path | None, typer.Option(help="directory of the run")] = None,
    pack: Annotated[list[str] | None, typer.Option(help="pack to run, may be given again; none runs all")] = None,
    web_port: Annotated[int | None, typer.Option(min=0, max=65535, help="port of the web view; 0 takes a free one")] = None,
    log_level: Annotated[str, typer.Option(help="level of Faust's log: debug, info, warn or error")] = "warn",
) -> int:
    """Decide, act and audit until SIGTERM. A second worker stands by and takes over when this one dies."""
    from assay.app.warm.kernels import load
    from assay.app.worker import build_worker  # Faust takes a second to import, --help must not

    given: dict[str, Any] = {"run": run, "packs": ",".join(pack or []) or None, "web_port": web_port}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    worker_app = build_worker(settings)
    known = Run.load(settings.run or Path())
    partitions_of(
        known.bootstrap, known.namespace, properties_of(known, BusUser.WORKER, settings)
    )  # refuses where Faust would show a traceback
    say(f"worker of {worker_app.conf.id}: web view http://{worker_app.conf.web_host}:{worker_app.conf.web_port}")
    load(known.config)
    worker = worker_app.Worker(loglevel=log_level, quiet=True, stdout=sys.stderr)
    worker.spinner = None  # its cursor codes do not belong in a log
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        return int(end.code or 0)
