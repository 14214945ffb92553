"""`assay audit verify`: read every audit segment of a run and say whether the chain is whole."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from assay.app.audit.verify import verify_chain
from assay.app.audit.witnesses import witnesses_of
from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.pace import pace_of
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.screen import Screen, counted, say_json
from assay.app.settings import load_settings
from assay.app.stores.segment_journal import read_head
from assay.contracts.errors import Stop

MB = 1_000_000

app = plain_app("Verify the audit chain of a run.", no_args_is_help=True)


def main(arguments: list[str]) -> int:
    """Run `assay audit`."""
    return int(app(arguments, standalone_mode=False, prog_name="assay audit") or 0)


@app.callback()
def audit() -> None:
    """Verify the audit chain of a run."""


@app.command(short_help="read every segment and say whether the chain is whole")
def verify(
    run: Annotated[Path, typer.Option(help="directory of the run")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="the evidence as JSON")] = False,
) -> int:
    """Read every segment in order, and hold it against the journal and the bus if they answer.

    Exit code 1 when the chain is broken or holds something else than they give; the first lines name the segment or the event.

    Example: assay audit verify --run runs/live
    """
    wired, console = Run.load(run), Screen(stderr=as_json)
    witnesses = witnesses_of(wired, properties_of(wired, BusUser.READER))
    with ProgressLine("audit segments", _expected(wired), console, time.monotonic, pace=pace_of(load_settings())) as line:

        def show(records: int, segments: int, size: int) -> None:
            line.show(segments, f"{counted(records, 'record')}, {size / MB:,.0f} MB")

        evidence = verify_chain(wired.store, wired.config.pins, show, witnesses)
    if as_json:
        say_json(evidence.model_dump(mode="json"))
        return 0 if evidence.verified else 1
    if evidence.verified:
        console.print(
            f"  audit verified: {counted(evidence.records, 'record')} in {counted(evidence.segments, 'segment')}", highlight=False
        )
        console.print(f"  {evidence.against}", highlight=False, soft_wrap=True, markup=False)
        console.print(f"  head {evidence.head}", highlight=False)
        return 0
    verdict = "nothing to verify" if evidence.nothing else "audit BROKEN"
    console.print(f"  {verdict}: {counted(evidence.records, 'record')} in {counted(evidence.segments, 'segment')} read", highlight=False)
    console.print(f"  {evidence.against}", highlight=False, soft_wrap=True, markup=False)
    for problem in evidence.problems:
        console.print(f"  {problem}", highlight=False, soft_wrap=True, markup=False)
    return 1


def _expected(run: Run) -> int:
    """Segments that the head speaks of."""
    try:
        head = read_head(run.store)
    except Stop:
        return 0
    return 0 if head is None else head.sequence + 1
