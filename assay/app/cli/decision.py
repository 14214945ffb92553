"""`assay decision show`: one decision with its reasons, the values they came from, and its proof."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from assay.app.bus.properties import read_bus_properties
from assay.app.bus.record_view import plain
from assay.app.cli.plain_app import plain_app
from assay.app.report.decision_search import amount_of, find, on_bus
from assay.app.report.decision_view import explain
from assay.app.report.decision_view import show as show_decision
from assay.app.run.directory import Run
from assay.app.settings import load_settings

app = plain_app("Show one decision.", no_args_is_help=True)


def main(arguments: list[str]) -> int:
    """Run `assay decision`."""
    return int(app(arguments, standalone_mode=False, prog_name="assay decision") or 0)


@app.callback()
def decision() -> None:
    """Show one decision."""


@app.command(short_help="print outcome, score, reasons, values, basis and proof")
def show(
    wanted: Annotated[str, typer.Argument(metavar="ID", help="event_id of the payment, or decision_id")],
    run: Annotated[Path, typer.Option(help="directory of the run")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="the decision and its action's outcome as JSON")] = False,
) -> None:
    """Print outcome, score, reasons with their values, all feature values, basis, posture, pins, ids and proof."""
    wired = Run.load(run)
    properties = read_bus_properties(load_settings().bus_properties)
    found = find(wired, wanted, partial(on_bus, properties=properties))
    if as_json:
        proof = None if found.proof is None else found.proof._asdict()
        print(json.dumps({"decision": plain(found.decision), "outcome": plain(found.outcome), "proof": proof}, indent=1))
        return
    amount_minor = amount_of(wired, found.decision, properties)
    show_decision(found, explain(found.decision, wired.config, amount_minor), amount_minor, Console())
