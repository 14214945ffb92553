"""`assay journal`: show and verify a lane's journal and its snapshots, take a snapshot, truncate to a verified one."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from assay.agents.specs import Role
from assay.agents.step import LaneId
from assay.agents.topology import TOPOLOGY
from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.journal import maintenance
from assay.app.journal.reading import LANES, LaneJournal
from assay.app.journal.survey import Epoch, Survey, surveyed
from assay.app.journal.verify import Verified, verify_journal
from assay.app.pace import pace_of
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.screen import Screen, counted, say_json
from assay.app.settings import load_settings
from assay.app.snapshots.manifest import SnapshotManifest
from assay.app.snapshots.store import Found

MB = 1_000_000
DECIDE = TOPOLOGY.with_role(Role.DECIDE).name

app = plain_app("Show, verify, snapshot and truncate the journals of a run.", no_args_is_help=True)

RunOption = Annotated[Path, typer.Option(help="directory of the run")]
JsonOption = Annotated[bool, typer.Option("--json", help="as JSON")]
LaneOption = Annotated[str, typer.Option(help=f"lane, with its shard or for shard 0 without it: {' or '.join(map(str, LANES))}")]


def main(arguments: list[str]) -> int:
    """Run `assay journal`."""
    return int(app(arguments, standalone_mode=False, prog_name="assay journal") or 0)


@app.command(short_help="epochs, ranges, code, gaps, and the snapshots beside them")
def show(run: RunOption, lane: LaneOption = DECIDE, as_json: JsonOption = False) -> int:
    """Print what the journal holds: a line per writer, the inputs covered, the snapshots.

    Example: assay journal show --run runs/live
    """
    journal, console = _opened(run, lane), Screen()
    survey = surveyed(journal.entries(journal.first), journal.lane, journal.run_config_digest, journal.reader())
    snapshots = journal.snapshots().found()
    if as_json:
        say_json(journal_facts(journal, survey) | {"snapshots": [snapshot_facts(found) for found in snapshots]})
        return 1 if survey.findings else 0
    _say(console, f"journal of lane {journal.lane}: {journal.topic}, offsets {journal.first:,} to {journal.end:,}")
    for epoch in survey.epochs:
        _say(console, f"  {epoch_line(epoch)}")
    _say(console, f"  outputs known to be out through record {survey.emitted_through:,}; {survey.superseded:,} superseded records")
    _covered(console, survey)
    for found in snapshots:
        _say(console, f"  {snapshot_line(found)}")
    return _findings(console, [found.line for found in survey.findings])


@app.command(short_help="fold the journal and compare it with every snapshot")
def verify(run: RunOption, lane: LaneOption = DECIDE, as_json: JsonOption = False) -> int:
    """Every epoch contiguous, every input offset once, every snapshot equal to the fold; exit code 1 and named findings if not.

    Example: assay journal verify --run runs/live
    """
    journal, console = _opened(run, lane), Screen(stderr=as_json)
    with ProgressLine("journal records", journal.end - journal.first, console, time.monotonic, pace=pace_of(load_settings())) as line:
        verified = verify_journal(journal, line.show)
    if as_json:
        facts = journal_facts(journal, verified.survey) | {"verified_snapshots": [one.key for one in verified.snapshots]}
        say_json({"verified": not verified.findings, **facts, "findings": [found.line for found in verified.findings]})
    elif not verified.findings:
        _say(console, f"  {verified_line(verified)}")
    return _findings(console, [] if as_json else [found.line for found in verified.findings], wrong=bool(verified.findings))


@app.command(short_help="take a snapshot without a standby")
def snapshot(run: RunOption, lane: LaneOption = DECIDE, as_json: JsonOption = False) -> int:
    """Fold from the newest snapshot to the last record whose outputs are out, and keep that state.

    Example: assay journal snapshot --run runs/live
    """
    journal, console = _opened(run, lane), Screen(stderr=as_json)
    taken = maintenance.take_snapshot(journal, lambda text: _say(console, f"  {text}"))
    if as_json:
        say_json({"taken": None if taken is None else taken.model_dump(mode="json")})
        return 0
    _say(console, "  nothing new to snapshot" if taken is None else f"  {_manifest_line(taken)}")
    return 0


@app.command(short_help="delete journal records before the newest verified snapshot but one")
def truncate(run: RunOption, lane: LaneOption = DECIDE, as_json: JsonOption = False) -> int:
    """Verify everything, then delete. A replay of the whole run is not possible any more: keep the journal if you need one.

    Example: assay journal truncate --run runs/live
    """
    journal, console = _opened(run, lane), Screen(stderr=as_json)
    properties = properties_of(journal.run, BusUser.ADMIN)
    with ProgressLine("journal records", journal.end - journal.first, console, time.monotonic, pace=pace_of(load_settings())) as line:
        target, verified = maintenance.truncate(journal, properties, line.show)
    if as_json:
        say_json({"lane": str(journal.lane), "begins": target.model_dump(mode="json"), "verified_snapshots": len(verified.snapshots)})
        return 0
    begins = f"begins at offset {target.next_offset:,}, record {target.sequence + 1:,}"
    _say(console, f"  truncated: the journal of lane {journal.lane} {begins}")
    _say(console, f"  {len(verified.snapshots)} snapshots were verified; workers start from one of them")
    return 0


def verified_line(verified: Verified) -> str:
    """What was verified. A journal without any snapshot is as good as one with many: workers start from its beginning."""
    records, epochs = sum(epoch.records for epoch in verified.survey.epochs), len(verified.survey.epochs)
    count = len(verified.snapshots)
    compared = f"each of {count} snapshots is what they fold to" if count > 1 else "its snapshot is what they fold to"
    whole = f"journal verified: {counted(records, 'record')} in {counted(epochs, 'epoch')}"
    return f"{whole}; {compared if count else 'there is no snapshot to compare yet'}"


def journal_facts(journal: LaneJournal, survey: Survey) -> dict[str, Any]:
    """The journal as JSON-ready values."""
    return {
        "lane": str(journal.lane),
        "topic": journal.topic,
        "first_offset": journal.first,
        "end_offset": journal.end,
        "epochs": [{**asdict(epoch), "codes": sorted(epoch.codes)} for epoch in survey.epochs],
        "emitted_through": survey.emitted_through,
        "superseded": survey.superseded,
        "covered": [{"topic": topic, "partition": at, "next_offset": one.base} for (topic, at), one in sorted(survey.covered.items())],
        "findings": [found.line for found in survey.findings],
    }


def snapshot_facts(found: Found) -> dict[str, Any]:
    """A snapshot as JSON-ready values."""
    manifest = None if found.manifest is None else found.manifest.model_dump(mode="json")
    return {"key": found.key, "refused": None if found.refused is None else str(found.refused), "manifest": manifest}


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


def _findings(console: Console, texts: list[str], *, wrong: bool = False) -> int:
    for text in texts:
        _say(console, f"  {text}")
    return 1 if texts or wrong else 0


def _opened(directory: Path, lane: str) -> LaneJournal:
    try:
        wanted = LaneId.parse(lane)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if wanted not in LANES:
        raise typer.BadParameter(f"there is no lane '{wanted}' with a journal topic; those with one: {', '.join(map(str, LANES))}")
    loaded = Run.load(directory)
    return LaneJournal(loaded, wanted, properties_of(loaded, BusUser.READER))


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
