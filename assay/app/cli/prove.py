"""`assay prove`: what `assay demo` and `assay up` do at their end, for a run whose processes were started one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.app.cli.plain_app import plain_app
from assay.app.demo.proving import prove_run
from assay.app.demo.stages import Stages
from assay.app.pace import pace_of
from assay.app.run.directory import Run
from assay.app.screen import Screen
from assay.app.settings import load_settings

app = plain_app()


def main(arguments: list[str]) -> int:
    """Run `assay prove`."""
    return int(app(arguments, standalone_mode=False, prog_name="assay prove") or 0)


@app.command()
def prove(run: Annotated[Path, typer.Option(help="directory of the run")]) -> int:
    """Count what came into a run, replay it, verify its audit and write its report, once its gate has ended.

    Gate and worker may have run on other machines. Exit code 1 when something is refuted.

    Example: assay prove --run runs/live
    """
    settings = load_settings()
    return 0 if prove_run(Run.load(run), settings, Stages(Screen(), pace=pace_of(settings))) else 1
