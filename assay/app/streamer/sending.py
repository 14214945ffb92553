"""A process that sends sequences of a run through the gate: signals, calls, progress, and what is said at its end."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from rich.console import Console

from assay.app.metrics import STREAMER
from assay.app.metrics_page import metrics_served
from assay.app.pace import pace_of
from assay.app.progress import PLAIN_EVERY_S, ProgressLine
from assay.app.run.directory import Run
from assay.app.settings import load_settings
from assay.app.streamer.gate_client import GateClient
from assay.app.streamer.retry import RetryPolicy
from assay.app.streamer.watch import UNWATCHED, Watch
from assay.app.streamer.world_streamer import Streamed

#: how often the clock is looked at before the start
LOOK_S = 0.2


class Sender(Protocol):
    """What sends: one sequence, or several."""

    async def run(self) -> Streamed:
        """Send what is left, or until it is told to stop."""


class Sending(NamedTuple):
    """What is sent and how it is told: `done` is the word for rows that the gate took, `position` of `total` are taken already.

    `sender(gate, stop, show)` makes what sends; `show` is to be told of the rows that are taken in all, as `ProgressLine.show`.
    """

    done: str
    total: int
    position: int
    sender: Callable[[GateClient, asyncio.Event, Callable[..., None]], Sender]


class Terms(NamedTuple):
    """How a process sends. `start_us`: UTC microseconds before which it sends nothing. `metrics_port`: None for no `/metrics`.

    `progress_s`: seconds between lines of progress where there is no terminal.
    """

    policy: RetryPolicy = RetryPolicy()
    watch: Watch = UNWATCHED
    progress_s: float = PLAIN_EVERY_S
    start_us: int = 0
    metrics_port: int | None = None


async def send(run: Run, sending: Sending, terms: Terms, console: Console) -> Streamed:
    """Send what is not taken yet, with progress on the console. SIGINT and SIGTERM finish what is on its way.

    Raises as `WorldStreamer.run`, and Stop(PORT_UNAVAILABLE).
    """
    stop, done = asyncio.Event(), sending.done
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    chance = random.SystemRandom().random
    gate = GateClient(run.gate_url, run.api_key, run.config.pins, terms.policy, chance, stop, terms.watch.retried)
    try:
        async with metrics_served(STREAMER, terms.metrics_port, lambda text: _say(console, text)):
            await until(terms.start_us, lambda: time.time_ns() // 1_000, stop)
            pace = pace_of(load_settings())
            with ProgressLine(
                done, sending.total, console, time.monotonic, sending.position, pace=pace, plain_every_s=terms.progress_s
            ) as line:
                sent = await sending.sender(gate, stop, line.show).run()
    finally:
        await gate.close()
    if not sent.complete:
        _say(console, "stopped at --max-events; the same command goes on" if sent.bounded else "interrupted; the same command resumes")
    counts = ", ".join(f"{decision} {count:,}" for decision, count in sorted(sent.counts.items()))
    _say(console, f"{done} {sent.position:,} of {sent.total:,}; gate: {counts or 'nothing sent'}; calls repeated {gate.retries}")
    return sent._replace(retries=gate.retries)


async def until(start_us: int, now_us: Callable[[], int], stop: asyncio.Event) -> None:
    """Return at an instant, or when `stop` is set. The clock is looked at again and again: it may be set meanwhile."""
    while not stop.is_set() and (left_us := start_us - now_us()) > 0:
        try:
            await asyncio.wait_for(stop.wait(), min(left_us / 1_000_000, LOOK_S))
        except TimeoutError:
            continue


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)
