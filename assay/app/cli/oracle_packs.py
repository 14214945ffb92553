"""`assay oracle check` and `assay oracle sync` of generated packs, in a folder or in a bucket."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from assay.app.pack.checking import ARTEFACT, check_pack, settle
from assay.app.pack.report import PackReport
from assay.app.pack.sync import sync_pack
from assay.app.progress import ProgressLine
from assay.app.screen import Screen, say_json
from assay.app.stores.places import store_of
from assay.contracts.exit_codes import DONE, REFUTED

MB = 1_000_000


def check_place(place: str, outputs: Sequence[str], *, strict: bool, as_json: bool) -> int:
    """Check the pack of a place and say what was found; the exit code."""
    console = Screen(stderr=as_json)
    store = store_of(place)
    with ProgressLine("checking", 0, console, time.monotonic) as line:
        report = check_pack(store, outputs, strict=strict, told=lambda done, total: line.show(done, "", total))
    written = settle(store, report, time.time_ns() // 1_000)
    if as_json:
        say_json({**report.as_json(), "pass_written": written})
    else:
        _describe(report, console, written=written)
    return REFUTED if report.status == "FAIL" else DONE


def sync(
    source: Annotated[str, typer.Argument(help="folder or s3://bucket/prefix of a generated pack")],
    target: Annotated[str, typer.Argument(help="folder or s3://bucket/prefix that it is copied to")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Copy a sealed pack, each object once, its digest computed on arrival and its seal last. A call that was cut off goes on.

    seed_snapshot.json of the target says what is to be copied.

    Example: assay oracle sync world s3://bank-worlds/tiny
    """
    console = Screen(stderr=as_json)
    with ProgressLine("copying", 0, console, time.monotonic) as line:
        done = sync_pack(store_of(source), store_of(target), lambda there, objects: line.show(there, "", objects))
    if as_json:
        say_json(done._asdict())
        return
    there = done.objects - done.copied
    told = f"copied {done.copied:,} of {done.objects:,} objects ({done.copied_bytes / MB:,.1f} MB); {there:,} were there"
    console.print(f"  {told}", highlight=False, soft_wrap=True)
    console.print(f"  next: assay oracle check {target}", highlight=False, soft_wrap=True)


def _describe(report: PackReport, console: Console, *, written: bool) -> None:
    def say(text: str) -> None:
        console.print(f"  {text}", highlight=False, soft_wrap=True)

    if report.pack_id:
        say(f"pack {report.pack_id}")
    opened = sum(status == "PASS" for status, _ in report.gates.values())
    say(f"{_mark(good=opened == len(report.gates) > 0)} {opened} of {len(report.gates)} gates pass")
    for one in report.outputs:
        counted = f"{one.files:,} file{'s' * (one.files != 1)}, {one.rows:,} rows"
        told = counted if one.passes else ", ".join(code.value for code in one.codes)
        say(f"{_mark(good=one.passes)} {one.output_id:<32} {told}")
    for issue in report.issues:
        say(f"{'error' if issue.severity == 'ERROR' else 'warning'} {issue}")
    unwritten = "nothing is wrong with these outputs" if report.status == "OK" else f"there is no {ARTEFACT}"
    outcome = f"{ARTEFACT} is written" if written else unwritten
    say(f"{report.status}: {outcome}")


def _mark(*, good: bool) -> str:
    return "✓" if good else "✗"
