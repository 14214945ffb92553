"""`assay sr`: ask for a run, see how it stands, and what an operator does to it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from assay.app.cli import sr_ops
from assay.app.cli.plain_app import plain_app
from assay.app.cli.sr_answers import AuthorityOption, JsonOption, RunIdOption, RunOption, document_of, refuse_unready, say_held, tell
from assay.app.pace import pace_of
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.runner.answers import show
from assay.app.runner.of_run import runner_of
from assay.app.runner.patience import submitted
from assay.app.runner.request import read_request, request_of_run
from assay.app.screen import Screen
from assay.app.settings import load_settings

app = plain_app("Ask the Scenario Runner for a run, and see how it stands.", no_args_is_help=True)


def main(arguments: list[str]) -> int:
    """Run `assay sr` with the remaining arguments."""
    return app(arguments, standalone_mode=False, prog_name="assay sr") or 0


@app.command(short_help="bring a run to READY, or say how far it is")
def submit(
    run: RunOption,
    *,
    request: Annotated[Path | None, typer.Option(help="file with a request; empty: the run of the directory")] = None,
    wait: Annotated[bool, typer.Option(help="look again while evidence is missing or another process holds the run")] = True,
    authority: AuthorityOption = "",
    as_json: JsonOption = False,
) -> None:
    """Plan the run, check its world, write the ledger and publish READY. Asking again changes nothing.

    Example: assay sr submit --run runs/platform_20260101T000000Z
    """
    wired = Run.load(run)
    asked = read_request(document_of(request) if request else request_of_run(wired.config))
    console = Screen(stderr=as_json)
    with ProgressLine("checked parts", 0, console, time.monotonic, pace=pace_of(load_settings())) as line:
        runner = runner_of(wired, sr_ops.publisher_of(wired), authority, lambda done, total: line.show(done, total=total))
        answer = submitted(runner, asked, lambda run_id: say_held(run_id, console)) if wait else runner.submit(asked, wait=False)
    tell(answer, as_json=as_json)
    refuse_unready(answer)


@app.command("show", short_help="how a run stands")
def show_run(run: RunOption, *, run_id: RunIdOption = "", as_json: JsonOption = False) -> None:
    """State, reason, and where the documents of a run are, read from its record."""
    wired = Run.load(run)
    tell(show(wired.store, run_id or wired.config.scenario_run_id), as_json=as_json)


app.command(short_help="say again what a run said")(sr_ops.reemit)
app.command(short_help="bring a run to READY that supersedes another")(sr_ops.supersede)
app.command(short_help="answer over HTTP")(sr_ops.serve)
app.command("rebuild-index", short_help="write registry and statuses again from the records")(sr_ops.rebuild)
app.add_typer(sr_ops.quarantine, name="quarantine", short_help="runs that were set aside")
