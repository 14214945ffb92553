"""A process that sends one sequence of a run through the gate: signals, calls, checkpoint, progress, and what is said at its end."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from typing import NamedTuple

from rich.console import Console

from assay.app.pace import pace_of
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run, RunConfig
from assay.app.settings import load_settings
from assay.app.streamer.checkpoint import Checkpoint
from assay.app.streamer.gate_client import GateClient
from assay.app.streamer.retry import RetryPolicy
from assay.app.streamer.sequence import EventSequence
from assay.app.streamer.world_streamer import Streamed, StreamOptions, WorldStreamer
from assay.contracts.ids import checkpoint_scope


class Sending(NamedTuple):
    """What is sent and how it is told: `done` is the word for rows that the gate took. `begin_us` as of `WorldStreamer`."""

    sequence: EventSequence
    checkpoint: Checkpoint
    done: str
    begin_us: int | None = None


def scope_of(config: RunConfig, pack_id: str) -> str:
    """The scope of the checkpoints of a run over one pack: another run, pack or configuration does not go on from them."""
    return checkpoint_scope(pack_id, config.platform_run_id, config.scenario_run_id, 1, 0, config.digest.hex())


async def send(run: Run, sending: Sending, options: StreamOptions, policy: RetryPolicy, console: Console) -> Streamed:
    """Send what the checkpoint does not have yet, with progress on the console. SIGINT and SIGTERM finish what is on its way.

    Raises as `WorldStreamer.run`.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sequence, checkpoint, done, begin_us = sending
    gate = GateClient(run.gate_url, run.api_key, run.config.pins, policy, random.SystemRandom().random, stop)
    start = checkpoint.load(sequence.total).position
    try:
        with ProgressLine(done, sequence.total, console, time.monotonic, start, pace=pace_of(load_settings())) as line:
            sent = await WorldStreamer(sequence, gate, checkpoint, options, stop, line.show, begin_us=begin_us).run()
    finally:
        await gate.close()
    if not sent.complete:
        console.print("interrupted; the same command resumes", highlight=False)
    counts = ", ".join(f"{decision} {count:,}" for decision, count in sorted(sent.counts.items()))
    told = f"{done} {sent.position:,} of {sent.total:,}; gate: {counts or 'nothing sent'}; calls repeated {gate.retries}"
    console.print(told, highlight=False, soft_wrap=True)
    return sent
