"""`assay sr`: ask for a run, and see how it stands."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.app.bus.publisher import KafkaPublisher
from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.pace import pace_of
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.runner.answers import RunAnswer, show
from assay.app.runner.of_run import runner_of
from assay.app.runner.request import read_request, request_of_run
from assay.app.runner.states import RunState
from assay.app.screen import Screen, say, say_json
from assay.app.settings import load_settings
from assay.contracts.errors import Quarantine, Retry, Stop
from assay.contracts.reasons import Reason

app = plain_app("Ask the Scenario Runner for a run, and see how it stands.", no_args_is_help=True)

RunOption = Annotated[Path, typer.Option("--run", help="directory of the run")]
JsonOption = Annotated[bool, typer.Option("--json", help="the answer as JSON")]
AuthorityOption = Annotated[str, typer.Option(help="database that decides who writes; empty: the run's own")]
RunIdOption = Annotated[str, typer.Option("--run-id", help="scenario run; empty: that of the directory")]


def main(arguments: list[str]) -> int:
    """Run `assay sr` with the remaining arguments."""
    return app(arguments, standalone_mode=False, prog_name="assay sr") or 0


@app.command(short_help="bring a run to READY, or say how far it is")
def submit(
    run: RunOption,
    *,
    request: Annotated[Path | None, typer.Option(help="file with a request; without it, the run of the directory")] = None,
    wait: Annotated[bool, typer.Option(help="while evidence is missing, look again until its deadline")] = True,
    authority: AuthorityOption = "",
    as_json: JsonOption = False,
) -> None:
    """Plan the run, check its world, write the ledger and publish READY. Asking again changes nothing.

    Example: assay sr submit --run runs/platform_20260101T000000Z
    """
    wired = Run.load(run)
    asked = read_request(_document(request) if request else request_of_run(wired.config))
    console = Screen(stderr=as_json)
    publisher = KafkaPublisher(wired.bootstrap, wired.namespace, properties_of(wired, BusUser.RUNNER))
    with ProgressLine("checked parts", 0, console, time.monotonic, pace=pace_of(load_settings())) as line:
        runner = runner_of(wired, publisher, authority, lambda done, total: line.show(done, total=total))
        answer = runner.submit(asked, wait=wait)
    _tell(answer, as_json=as_json)
    _refuse_unready(answer)


@app.command("show", short_help="how a run stands")
def show_run(run: RunOption, *, run_id: RunIdOption = "", as_json: JsonOption = False) -> None:
    """State, reason, and where the documents of a run are, read from its record."""
    wired = Run.load(run)
    _tell(show(wired.store, run_id or wired.config.scenario_run_id), as_json=as_json)


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Stop(Reason.INPUT_FILE_MISSING, "there is no such request", where=str(path), remedy="Correct the path.") from None
    except (ValueError, RecursionError) as error:
        what = f"the request is not JSON: {error}"
        raise Quarantine(Reason.SCHEMA_FAIL, what, where=str(path), remedy="Correct the file.") from None


def _tell(answer: RunAnswer, *, as_json: bool) -> None:
    if as_json:
        say_json(answer.as_json())
        return
    for name, value in answer.as_json().items():
        say(f"  {name:<16}{value}")


def _refuse_unready(answer: RunAnswer) -> None:
    """Raises what says by its exit code that the run is not READY: Stop for one that ended, Retry for one that goes on."""
    if answer.state == RunState.READY:
        return
    where, code = answer.status_ref or answer.run_id, answer.reason_code
    if answer.state in (RunState.FAILED, RunState.QUARANTINED):
        remedy = "A run that ended stays so: correct its cause and start another run."
        raise Stop(Reason(code), f"the run is {answer.state}: {answer.why}", where=where, remedy=remedy)
    if code:
        raise Retry(Reason(code), f"the run is {answer.state}: {answer.why}", where=where, remedy="Ask again later.")
    raise Retry(Reason.RUN_NOT_READY, "another process works on the run", where=where, remedy="Ask again later; nothing is done twice.")
