"""`assay decision show`: one decision with its reasons, the values they came from, and its proof."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.report.decision_search import find, on_bus
from assay.app.report.decision_view import as_values, explain
from assay.app.report.decision_view import show as show_decision
from assay.app.report.paid import paid_of
from assay.app.run.directory import Run
from assay.app.run.policy_revisions import rules_of
from assay.app.screen import Screen, say_json

app = plain_app("Show one decision.", no_args_is_help=True)


def main(arguments: list[str]) -> int:
    """Run `assay decision`."""
    return int(app(arguments, standalone_mode=False, prog_name="assay decision") or 0)


@app.callback()
def decision() -> None:
    """Show one decision."""


@app.command(short_help="print whose payment, outcome, score, reasons, values, basis and proof")
def show(
    wanted: Annotated[str, typer.Argument(metavar="ID", help="the payment's event_id or its id in the file, or the decision_id")],
    run: Annotated[Path, typer.Option(help="directory of the run")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="everything as JSON, with exact values")] = False,
) -> None:
    """Print whose payment it is, the outcome and its reasons in words, all feature values, basis, posture, ids and proof.

    A payment without a decision is told apart: quarantined (exit code 1), not decided yet (75), unknown (66).

    The rules are those that were in force for this payment.

    Example: assay decision show P063 --run runs/live
    """
    wired = Run.load(run)
    properties = properties_of(wired, BusUser.READER)
    found = find(wired, wanted, partial(on_bus, properties=properties))
    paid = paid_of(wired, found.decision, properties)
    rules = rules_of(wired.store, wired.config, found.decision["policy"]["content_digest"])
    why = explain(found.decision, wired.config, paid, rules)
    if as_json:
        say_json(as_values(found, why, paid))
        return
    show_decision(found, why, paid, Screen())
