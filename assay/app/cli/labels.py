"""`assay labels`: post labels to the gate of a run: a file of disputes and chargebacks, or those of its world."""

from __future__ import annotations

import asyncio
import json
import random
import time
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console

from assay.app.cli.labels_deliver import deliver
from assay.app.cli.plain_app import plain_app
from assay.app.labels.label_file import label_rows, load_label_mapping
from assay.app.labels.posting import Posted, post_labels
from assay.app.oracle.sealed_world import find_world
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.run.secrets_file import refuse_without_key
from assay.app.screen import Screen, say
from assay.app.streamer.gate_client import GateClient
from assay.app.streamer.retry import RetryPolicy

app = plain_app("Tell a run what its payments turned out to be.", no_args_is_help=True)

#: refused rows that are printed; `--json` has all
SHOWN = 10


def main(arguments: list[str]) -> int:
    """Run `assay labels`."""
    return app(arguments, standalone_mode=False, prog_name="assay labels") or 0


@app.callback()
def group() -> None:
    """Tell a run what its payments turned out to be."""


app.command("deliver", short_help="deliver the labels of a run's world when they are known")(deliver)


@app.command("import", short_help="post a file of disputes and chargebacks")
def import_labels(
    file: Annotated[Path, typer.Argument(help="a .csv, .tsv, .jsonl or .parquet file, a row per label")],
    mapping: Annotated[Path, typer.Option(help="a YAML file: which columns hold payment, time and label")],
    run: Annotated[Path, typer.Option(help="directory of the run, whose gate has to be running")],
    retry_budget: Annotated[float, typer.Option(min=0, help="seconds a call to the gate is repeated")] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="print counts and refused rows as JSON")] = False,
) -> int:
    """Check the whole file, then post its labels. The same command posts again what is missing: labels that are there are duplicates.

    Ends with 1 when the gate refused a row. Example: assay labels import disputes.csv --mapping disputes.yaml --run runs/live
    """
    wired, read = Run.load(run), load_label_mapping(mapping)
    rows = label_rows(
        file, read, find_world(wired.store, wired.config.manifest_fingerprint) if read.source_id else None, time.time_ns() // 1_000
    )
    posted = asyncio.run(_post(wired, rows, read.source, RetryPolicy(budget_s=retry_budget), Screen(stderr=as_json)))
    if as_json:
        say(json.dumps({"rows": len(rows), "counts": posted.counts, "refused": [row._asdict() for row in posted.refused]}))
    else:
        _tell(posted, len(rows), Screen())
    return 1 if posted.refused else 0


async def _post(run: Run, rows: pl.DataFrame, source: str, policy: RetryPolicy, console: Console) -> Posted:
    gate = GateClient(
        run.gate_url, refuse_without_key(run.api_key, run.directory), run.config.pins, policy, random.SystemRandom().random, asyncio.Event()
    )
    try:
        with ProgressLine("posted", len(rows), console, time.monotonic) as line:
            return await post_labels(rows, source, gate, line.show)
    finally:
        await gate.close()


def _tell(posted: Posted, rows: int, console: Console) -> None:
    counts = posted.counts
    told = f"{rows:,} labels: {counts['ADMIT']:,} new, {counts['DUPLICATE']:,} there already, {len(posted.refused):,} refused"
    console.print(told, highlight=False, soft_wrap=True)
    for row in posted.refused[:SHOWN]:
        line = f"  row {row.row}, payment {row.payment!r}: {row.error}: {row.detail}. {row.remedy}"
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    if len(posted.refused) > SHOWN:
        console.print(f"  and {len(posted.refused) - SHOWN:,} more; --json has all", highlight=False)
