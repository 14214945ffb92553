"""`assay gate resolve`: events of which nobody knows whether they are on the bus, settled by evidence."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path
from typing import Annotated

import typer

from assay.app.bus.users import BusUser, properties_of
from assay.app.gate.resolve_run import settle
from assay.app.run.directory import Run
from assay.app.screen import say, say_json
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def resolve(
    run: Annotated[Path, typer.Option(help="directory of the run")],
    *,
    republish: Annotated[bool, typer.Option("--republish", help="let what the bus does not hold be sent again, once")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the figures as JSON")] = False,
) -> None:
    """Settle events whose gate process died, or was told nothing by the bus.

    Their topics are read once no producer can write them any more, at most 15 s after they were taken. What is found there is admitted,
    and has a receipt. What is not stays AMBIGUOUS and ends the command with ADMISSION_AMBIGUOUS, until you give --republish: whoever
    posted it may then send it again, under the same id. The gate may run meanwhile.

    Example: assay gate resolve --run runs/live
    """
    wired = Run.load(run)
    by = f"{getpass.getuser()}@{socket.gethostname()}" if republish else ""
    ended = settle(wired, by, properties_of(wired, BusUser.GATE), lambda text: say(text, error=True))
    if as_json:
        say_json({"platform_run_id": wired.platform_run_id, **ended._asdict(), "by": by})
    else:
        say(f"found on the bus, admitted now: {ended.found}")
        say(f"not on the bus: {ended.absent + ended.released}; may be sent again now: {ended.released}")
    if ended.absent or ended.waiting:
        what = f"{ended.absent} events are not on the bus, and the evidence on {ended.waiting} is not complete"
        remedy = "See what became of the gate and the broker; then let them be sent again: assay gate resolve --republish."
        raise Stop(Reason.ADMISSION_AMBIGUOUS, what, where=str(run), remedy=remedy)
