"""`assay stream`: send a READY world through the gate, in event-time order, from where the last process stopped."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from assay.app.bus.topic_reader import TopicRecord, read_records
from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.oracle.sealed_world import open_world
from assay.app.pace import pace_of
from assay.app.profiles.documents import speedup_under
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.run.frozen import refuse_changed
from assay.app.run.secrets_file import refuse_without_key
from assay.app.screen import Screen
from assay.app.settings import load_settings
from assay.app.streamer.checkpoint import Checkpoint
from assay.app.streamer.envelopes import Framer
from assay.app.streamer.gate_client import GateClient
from assay.app.streamer.merged_view import MergedView
from assay.app.streamer.ready import await_ready
from assay.app.streamer.retry import RetryPolicy
from assay.app.streamer.world_streamer import Streamed, StreamOptions, WorldStreamer
from assay.contracts.handles import CONTROL
from assay.contracts.ids import checkpoint_scope

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
    """Stream the run's world. SIGINT finishes the calls on their way; the same command resumes."""
    wired = Run.load(run)
    refuse_without_key(wired.api_key, run)
    refuse_changed(wired)
    properties = properties_of(wired, BusUser.STREAMER)

    def control(first: int) -> Iterator[TopicRecord]:
        return read_records(wired.bootstrap, CONTROL, wired.namespace, properties, first=first)

    await_ready(control, wired.config.pins, wired.config.digest, ready_timeout)
    options = StreamOptions(batch_rows=batch, in_flight=in_flight, speedup=speedup_under(load_settings().profile, speedup))
    streamed = asyncio.run(stream_run(wired, options, RetryPolicy(budget_s=retry_budget), Screen()))
    if not streamed.complete:
        raise typer.Exit(130)


async def stream_run(run: Run, options: StreamOptions, policy: RetryPolicy, console: Console) -> Streamed:
    """Stream the world of a run that is READY, with progress on the console. SIGINT and SIGTERM stop it cleanly."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    config = run.config
    world = open_world(run.store, config.manifest_fingerprint)
    view = MergedView(world, Framer(config.pins, config.run_id), config.label_delay_us)
    pack, attempt = world.manifest.oracle_pack_id, config.digest.hex()
    scope = checkpoint_scope(pack, config.platform_run_id, config.scenario_run_id, 1, 0, attempt)
    checkpoint = Checkpoint(run.store, config.scenario_run_id, scope)
    gate = GateClient(run.gate_url, run.api_key, config.pins, policy, random.SystemRandom().random, stop)
    start = checkpoint.load(view.total).position
    try:
        with ProgressLine("streamed", view.total, console, time.monotonic, start, pace=pace_of(load_settings())) as line:
            streamed = await WorldStreamer(view, gate, checkpoint, options, stop, line.show).run()
    finally:
        await gate.close()
    if not streamed.complete:
        console.print("interrupted; the same command resumes", highlight=False)
    counts = ", ".join(f"{decision} {count:,}" for decision, count in sorted(streamed.counts.items()))
    sent = f"streamed {streamed.position:,} of {streamed.total:,}; gate: {counts or 'nothing sent'}; calls repeated {gate.retries}"
    console.print(sent, highlight=False, soft_wrap=True)
    return streamed
