"""`assay replay`: recompute every decision from journal and policy in a fresh process, and compare byte for byte."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.oracle.sealed_world import open_world
from assay.app.pace import pace_of
from assay.app.progress import ProgressLine
from assay.app.replay.fresh_process import is_fresh, run_fresh
from assay.app.replay.selection import nothing_selected, selection_of
from assay.app.run.directory import Run
from assay.app.screen import Screen, say_json
from assay.app.settings import load_settings
from assay.contracts.errors import Stop

app = plain_app()


def main(arguments: list[str]) -> int:
    """Run `assay replay`, in a process with another hash seed and kernels for a generic CPU."""
    if "--help" not in arguments and not is_fresh():
        try:
            return run_fresh(["replay", *arguments])
        except KeyboardInterrupt:
            return 130  # the other process said so
    return app(arguments, standalone_mode=False, prog_name="assay replay") or 0


@app.command()
def replay(
    run: Annotated[Path, typer.Option(help="directory of the run")],
    verify: Annotated[bool, typer.Option("--verify", help="compare with the decisions on the topic")] = False,
    first: Annotated[str, typer.Option("--from", help="compare from this source event on, TOPIC:PARTITION:OFFSET")] = "",
    last: Annotated[str, typer.Option("--to", help="compare up to this source event, itself included")] = "",
    anchors: Annotated[Path | None, typer.Option(help="JSON file of {topic, partition, offset}: compare only these source events")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the evidence as JSON")] = False,
) -> int:
    """Recompute a run's decisions. With --verify, exit 1 if one differs, naming event, journal record and field.

    Example: assay replay --verify --run runs/live
    """
    from assay.app.replay.verify import verify as verify_run

    selection = selection_of(first, last, anchors)
    wired, console = Run.load(run), Screen(stderr=as_json)
    properties = properties_of(wired, BusUser.READER)
    with ProgressLine("recomputed", _expected(wired), console, time.monotonic, pace=pace_of(load_settings())) as line:
        evidence = verify_run(wired, line.show, properties, selection)
    if selection is not None and not evidence.compared:
        raise nothing_selected(first, last, anchors)
    if as_json:
        say_json(evidence.model_dump(mode="json"))
        return 0 if evidence.verified or not verify else 1
    for difference in evidence.differences:
        console.print(f"  differs: {difference}", highlight=False, soft_wrap=True, markup=False)
    verdict = "no difference" if evidence.verified else f"{evidence.differing:,} differ"
    rate = evidence.compared / evidence.wall_s if evidence.wall_s else 0
    compared = "decisions of the selection compared" if selection else "decisions recomputed"
    console.print(f"  replay: {evidence.compared:,} {compared}, {verdict}, {rate:,.0f}/s", highlight=False, soft_wrap=True)
    console.print(f"  digest {evidence.decision_digest}", highlight=False, soft_wrap=True)
    return 0 if evidence.verified or not verify else 1


def _expected(run: Run) -> int:
    """Payments of the sealed world, 0 for a live run, which has none."""
    try:
        return open_world(run.store, run.config.manifest_fingerprint).manifest.rows
    except Stop:
        return 0
