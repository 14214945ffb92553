"""`assay stream`: send the payments of a READY world through the gate, in event-time order, from where the last process stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from assay.agents.components import WORLD_STREAMER
from assay.app.bus.users import BusUser
from assay.app.cli.plain_app import plain_app
from assay.app.cli.ready_run import ready_run
from assay.app.labels.delivery import undelivered_text
from assay.app.oracle.sealed_world import SealedWorld, open_world
from assay.app.profiles.documents import speedup_under
from assay.app.run.directory import Run
from assay.app.screen import Screen
from assay.app.settings import load_settings
from assay.app.streamer.checkpoint import Checkpoint
from assay.app.streamer.envelopes import Framer
from assay.app.streamer.merged_view import MergedView
from assay.app.streamer.retry import RetryPolicy
from assay.app.streamer.sending import Sending, scope_of, send
from assay.app.streamer.world_streamer import StreamOptions

app = plain_app()


def main(arguments: list[str]) -> int:
    """Run `assay stream`."""
    return app(arguments, standalone_mode=False, prog_name="assay stream") or 0


@app.command()
def stream(
    run: Annotated[Path, typer.Option(help="directory of the run")],
    speedup: Annotated[
        float | None, typer.Option(min=0, help="event time per wall time; 0 is as fast as the gate takes it; else the profile's, else 0")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=5_000, help="events per call to the gate")] = 2_000,
    in_flight: Annotated[int, typer.Option(min=1, max=16, help="calls on their way at a time")] = 2,
    ready_timeout: Annotated[float, typer.Option(min=0, help="seconds to wait for READY")] = 60.0,
    retry_budget: Annotated[float, typer.Option(min=0, help="seconds a call to the gate is repeated")] = 120.0,
) -> None:
    """Stream the payments of the run's world. SIGINT finishes the calls on their way; the same command resumes.

    `assay labels deliver` delivers the labels, beside it.
    """
    wired, console = ready_run(run, WORLD_STREAMER, BusUser.STREAMER, ready_timeout), Screen()
    world = open_world(wired.store, wired.config.manifest_fingerprint)
    options = StreamOptions(batch_rows=batch, in_flight=in_flight, speedup=speedup_under(load_settings().profile, speedup))
    streamed = asyncio.run(send(wired, _payments(wired, world), options, RetryPolicy(budget_s=retry_budget), console))
    if not streamed.complete:
        raise typer.Exit(130)
    undelivered = undelivered_text(wired, world)
    if undelivered:
        console.print(undelivered, highlight=False, soft_wrap=True)


def _payments(run: Run, world: SealedWorld) -> Sending:
    config = run.config
    checkpoint = Checkpoint(run.store, config.scenario_run_id, scope_of(config, world.manifest.oracle_pack_id))
    return Sending(MergedView(world, Framer(config.pins, config.run_id)), checkpoint, "streamed")
