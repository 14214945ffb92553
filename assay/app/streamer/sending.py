"""A process that sends sequences of a run through the gate: signals, calls, progress, and what is said at its end."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from rich.console import Console

from assay.app.pace import pace_of
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.settings import load_settings
from assay.app.streamer.gate_client import GateClient
from assay.app.streamer.gate_port import Gate
from assay.app.streamer.retry import RetryPolicy
from assay.app.streamer.world_streamer import Streamed


class Sender(Protocol):
    """What sends: one sequence, or several."""

    async def run(self) -> Streamed:
        """Send what is left, or until it is told to stop."""


class Sending(NamedTuple):
    """What is sent and how it is told: `done` is the word for rows that the gate took, `position` of `total` are taken already.

    `sender(gate, stop, show)` makes what sends; `show` is to be told of the rows that are taken in all.
    """

    done: str
    total: int
    position: int
    sender: Callable[[Gate, asyncio.Event, Callable[[int], None]], Sender]


async def send(run: Run, sending: Sending, policy: RetryPolicy, console: Console) -> Streamed:
    """Send what is not taken yet, with progress on the console. SIGINT and SIGTERM finish what is on its way.

    Raises as `WorldStreamer.run`.
    """
    stop, done = asyncio.Event(), sending.done
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gate = GateClient(run.gate_url, run.api_key, run.config.pins, policy, random.SystemRandom().random, stop)
    try:
        with ProgressLine(done, sending.total, console, time.monotonic, sending.position, pace=pace_of(load_settings())) as line:
            sent = await sending.sender(gate, stop, line.show).run()
    finally:
        await gate.close()
    if not sent.complete:
        console.print("interrupted; the same command resumes", highlight=False)
    counts = ", ".join(f"{decision} {count:,}" for decision, count in sorted(sent.counts.items()))
    told = f"{done} {sent.position:,} of {sent.total:,}; gate: {counts or 'nothing sent'}; calls repeated {gate.retries}"
    console.print(told, highlight=False, soft_wrap=True)
    return sent._replace(retries=gate.retries)
