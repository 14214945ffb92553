"""`assay export`: decisions of a run as files for notebooks."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from assay.agents.specs import Role
from assay.agents.step import LaneId
from assay.agents.topology import TOPOLOGY
from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.screen import Screen, say
from assay.app.stores.file_lock import held

app = plain_app("Export decisions of a run for notebooks.", no_args_is_help=True)


def main(arguments: list[str]) -> int:
    """Run `assay export`."""
    return app(arguments, standalone_mode=False, prog_name="assay export") or 0


@app.callback()
def export() -> None:
    """Export decisions of a run for notebooks."""


@app.command(short_help="add the run's new decisions to a folder of Parquet files")
def decisions(
    *,
    run: Annotated[Path, typer.Option(help="directory of the run")],
    parquet: Annotated[Path, typer.Option(help="folder of the files; a second call adds what is new", file_okay=False, writable=True)],
    from_kept: Annotated[bool, typer.Option("--from-kept", help="begin a new folder where a truncated journal begins")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="what was added, as JSON")] = False,
) -> None:
    """Add the run's new decisions to DIR/decisions and its new labels to DIR/labels, as Parquet files.

    One row per decision: the payment with its id in the file, its entities and attributes, features by name, outcome, score, reasons,
    policy, times. Labels came later than their decisions and stand apart, with the time from which each is known.

    Example: assay export decisions --run runs/live --parquet exported
    """
    from assay.app.export.decisions import export as export_run
    from assay.app.export.folder import ExportFolder
    from assay.app.export.payments import payments_of
    from assay.app.journal.reading import LaneJournal
    from assay.tables.feature_plan import compile_plan

    wired, console = Run.load(run), Screen(stderr=as_json)
    properties = properties_of(wired, BusUser.READER)
    journal = LaneJournal(wired, LaneId(TOPOLOGY.with_role(Role.DECIDE).name, 0), properties)
    identity = {"run": wired.platform_run_id, "run_config_digest": wired.config.digest.hex(), "lane": str(journal.lane)}
    with held(parquet, "assay export"), ProgressLine("exported", 0, console, time.monotonic) as line:
        folder, payments = ExportFolder(parquet, identity), payments_of(wired, properties)
        plan = compile_plan(wired.config.features)
        told = export_run(journal, plan, folder, payments, progress=line.show, from_kept=from_kept)
    if as_json:
        say(json.dumps({**told._asdict(), "folder": str(parquet)}))
        return
    say(f"added {told.decisions:,} decisions and {told.labels:,} labels to {parquet}")
    say(f"the journal is exported from offset {told.first:,} up to {told.end:,}")
    if told.other_code:
        say(f"{told.other_code:,} journal records are of other code: `assay replay --verify` says whether it decides the same")
