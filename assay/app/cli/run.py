"""`assay run`: check the sealed world of a run and publish READY."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from assay.app.bus.publisher import KafkaPublisher
from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.pace import pace_of
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.runner.scenario_runner import run_scenario
from assay.app.screen import Screen, say_json
from assay.app.settings import load_settings

app = plain_app()


def main(arguments: list[str]) -> int:
    """Run `assay run`."""
    return app(arguments, standalone_mode=False, prog_name="assay run") or 0


@app.command()
def publish_ready(
    run: Annotated[Path, typer.Option(help="directory of the run")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="what was published as JSON")] = False,
) -> None:
    """Check seal, digests and order of the run's world, write the ledger, and publish READY. Running it again is harmless.

    Example: assay run --run runs/platform_20260101T000000Z
    """
    wired = Run.load(run)
    console = Screen(stderr=as_json)
    publisher = KafkaPublisher(wired.bootstrap, wired.namespace, properties_of(wired, BusUser.RUNNER))
    with ProgressLine("checked parts", 0, console, time.monotonic, pace=pace_of(load_settings())) as line:
        ready = run_scenario(
            wired.config, wired.store, publisher, time.time_ns() // 1_000, lambda done, total: line.show(done, total=total)
        )
    if as_json:
        say_json({"rows": ready.rows, "message_id": ready.message_id, "facts_view_ref": ready.facts_view_ref})
        return
    console.print(f"  READY: {ready.rows:,} rows", highlight=False)
    console.print(f"  message {ready.message_id}", highlight=False, soft_wrap=True)
    console.print(f"  facts in {ready.facts_view_ref}", highlight=False, soft_wrap=True)
