"""`assay journal`: show and verify a lane's journal and its snapshots, take a snapshot, truncate to a verified one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from assay.agents.specs import Role
from assay.agents.step import LaneId
from assay.agents.topology import TOPOLOGY
from assay.app.bus.properties import read_bus_properties
from assay.app.cli.plain_app import plain_app
from assay.app.journal import maintenance
from assay.app.journal.reading import LANES, LaneJournal
from assay.app.journal.survey import Epoch, Survey, surveyed
from assay.app.journal.verify import verify_journal
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.screen import Screen
from assay.app.settings import load_settings
from assay.app.snapshots.manifest import SnapshotManifest
from assay.app.snapshots.store import Found

MB = 1_000_000
DECIDE = TOPOLOGY.with_role(Role.DECIDE).name

app = plain_app("Show, verify, snapshot and truncate the journals of a run.", no_args_is_help=True)

RunOption = Annotated[Path, typer.Option(help="directory of the run")]
LaneOption = Annotated[str, typer.Option(help=f"lane, with its shard or for shard 0 without it: {' or '.join(map(str, LANES))}")]


def main(arguments: list[str]) -> int:
    """Run `assay journal`."""
    return int(app(arguments, standalone_mode=False, prog_name="assay journal") or 0)


@app.command(short_help="epochs, ranges, code, gaps, and the snapshots beside them")
def show(run: RunOption, lane: LaneOption = DECIDE) -> int:
    """Print what the journal holds: a line per writer, the inputs covered, the snapshots."""
    journal, console = _opened(run, lane), Screen()
    survey = surveyed(journal.entries(journal.first), journal.lane, journal.run_config_digest, journal.reader())
    _say(console, f"journal of lane {journal.lane}: {journal.topic}, offsets {journal.first:,} to {journal.end:,}")
    for epoch in survey.epochs:
        _say(console, f"  {epoch_line(epoch)}")
    _say(console, f"  outputs known to be out through record {survey.emitted_through:,}; {survey.superseded:,} superseded records")
    _covered(console, survey)
    for found in journal.snapshots().found():
        _say(console, f"  {snapshot_line(found)}")
    return _findings(console, [found.line for found in survey.findings])


@app.command(short_help="fold the journal and compare it with every snapshot")
def verify(run: RunOption, lane: LaneOption = DECIDE) -> int:
    """Every epoch contiguous, every input offset once, every snapshot equal to the fold; exit code 1 and named findings if not."""
    journal, console = _opened(run, lane), Screen()
    with ProgressLine("journal records", journal.end - journal.first, console, time.monotonic) as line:
        verified = verify_journal(journal, line.show)
    records = sum(epoch.records for epoch in verified.survey.epochs)
    if not verified.findings:
        count = len(verified.snapshots)
        _say(console, f"  journal verified: {records:,} records in {len(verified.survey.epochs)} epochs, {count} snapshots equal its fold")
    return _findings(console, [found.line for found in verified.findings])


@app.command(short_help="take a snapshot without a standby")
def snapshot(run: RunOption, lane: LaneOption = DECIDE) -> int:
    """Fold from the newest snapshot to the last record whose outputs are out, and keep that state."""
    journal, console = _opened(run, lane), Screen()
    taken = maintenance.take_snapshot(journal, lambda text: _say(console, f"  {text}"))
    _say(console, "  nothing new to snapshot" if taken is None else f"  {_manifest_line(taken)}")
    return 0


@app.command(short_help="delete journal records before the newest verified snapshot but one")
def truncate(run: RunOption, lane: LaneOption = DECIDE) -> int:
    """Verify everything, then delete. A replay of the whole run is not possible any more: keep the journal if you need one."""
    journal, console = _opened(run, lane), Screen()
    properties = read_bus_properties(load_settings().bus_properties)
    with ProgressLine("journal records", journal.end - journal.first, console, time.monotonic) as line:
        target, verified = maintenance.truncate(journal, properties, line.show)
    begins = f"begins at offset {target.next_offset:,}, record {target.sequence + 1:,}"
    _say(console, f"  truncated: the journal of lane {journal.lane} {begins}")
    _say(console, f"  {len(verified.snapshots)} snapshots were verified; workers start from one of them")
    return 0


def epoch_line(epoch: Epoch) -> str:
    """One writer's records."""
    began, codes = epoch.began or "(head is gone)", ", ".join(sorted(epoch.codes))
    return (
        f"epoch {epoch.number:<4} {began:<8} records {epoch.first_sequence:,} to {epoch.last_sequence:,} at offsets "
        f"{epoch.first_offset:,} to {epoch.last_offset:,}, {epoch.rows:,} rows, {epoch.bytes / MB:,.1f} MB, code {codes}"
    )


def snapshot_line(found: Found) -> str:
    """One snapshot, or why it does not count."""
    return f"{found.key}: {found.refused}" if found.manifest is None else _manifest_line(found.manifest)


def _manifest_line(manifest: SnapshotManifest) -> str:
    return (
        f"snapshot at record {manifest.sequence:,} (epoch {manifest.epoch}), {manifest.size_bytes / MB:,.1f} MB, journal goes on at "
        f"offset {manifest.next_offset:,}, code {manifest.code_digest[:12]}"
    )


def _covered(console: Console, survey: Survey) -> None:
    for (handle, partition), coverage in sorted(survey.covered.items()):
        ahead = f", and {len(coverage.acknowledged)} runs beyond it" if coverage.acknowledged else ""
        _say(console, f"  {handle}[{partition}] covered up to {coverage.base:,}{ahead}")


def _findings(console: Console, texts: list[str]) -> int:
    for text in texts:
        _say(console, f"  {text}")
    return 1 if texts else 0


def _opened(directory: Path, lane: str) -> LaneJournal:
    try:
        wanted = LaneId.parse(lane)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if wanted not in LANES:
        raise typer.BadParameter(f"there is no lane '{wanted}' with a journal topic; those with one: {', '.join(map(str, LANES))}")
    return LaneJournal(Run.load(directory), wanted, read_bus_properties(load_settings().bus_properties))


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
