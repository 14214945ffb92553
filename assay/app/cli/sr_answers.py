"""Options and answers that the commands of `assay sr` share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from assay.app.runner.answers import RunAnswer
from assay.app.runner.states import RunState
from assay.app.screen import say, say_json
from assay.contracts.errors import Quarantine, Retry, Stop
from assay.contracts.reasons import Reason

RunOption = Annotated[Path, typer.Option("--run", help="directory of the run")]
JsonOption = Annotated[bool, typer.Option("--json", help="the answer as JSON")]
AuthorityOption = Annotated[str, typer.Option(help="database that decides who writes; empty: the run's")]
RunIdOption = Annotated[str, typer.Option("--run-id", help="scenario run; empty: that of the directory")]


def document_of(path: Path) -> Any:
    """A JSON document of a file. Raises Stop(INPUT_FILE_MISSING), Quarantine(SCHEMA_FAIL)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Stop(Reason.INPUT_FILE_MISSING, "there is no such file", where=str(path), remedy="Correct the path.") from None
    except (ValueError, RecursionError) as error:
        raise Quarantine(Reason.SCHEMA_FAIL, f"it is not JSON: {error}", where=str(path), remedy="Correct the file.") from None


def tell(answer: RunAnswer, *, as_json: bool) -> None:
    """Print how a run stands."""
    if as_json:
        say_json(answer.as_json())
        return
    for name, value in answer.as_json().items():
        say(f"  {name:<16}{value}")


def say_held(run_id: str, console: Console) -> None:
    """Say that the run is waited for."""
    console.print(f"  another process holds the run {run_id}: waiting until it has done its work, or its lease ends", highlight=False)


def refuse_unready(answer: RunAnswer) -> None:
    """Raises what says by its exit code that a run is not READY: Stop for one that ended, Retry for one that goes on."""
    if answer.state == RunState.READY and not answer.held:
        return
    where, code = answer.where or answer.status_ref or answer.run_id, answer.reason_code
    if answer.state in (RunState.FAILED, RunState.QUARANTINED):
        remedy = answer.remedy or "A run that ended stays so: correct its cause and start another run."
        raise Stop(Reason(code), f"the run is {answer.state}: {answer.why}", where=where, remedy=remedy)
    if code and not answer.held:
        raise Retry(Reason(code), f"the run is {answer.state}: {answer.why}", where=where, remedy="Ask again later.")
    raise Retry(Reason.RUN_NOT_READY, "another process works on the run", where=where, remedy="Ask again later; nothing is done twice.")
