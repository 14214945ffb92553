"""Two kinds of Faust app: one per lane, each a member of its own consumer group, and the worker's app that owns them.

`faust -A` starts the worker's app. It has the web server, the tables by name and no consumer. The app of a lane has a
consumer and no web server. A crash of any of them ends the process.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

import faust
from faust.app import BootStrategy

from assay.agents.faust_shell.lanes import LaneMember
from assay.agents.faust_shell.transport import LaneConsumer, LaneTransport
from assay.agents.step import TopicPartition
from assay.contracts.errors import AssayError
from assay.contracts.visible import visible


class LaneBoot(BootStrategy):
    """A lane is fed by a consumer; its records leave through producers of its own, and people ask the worker's app."""

    enable_kafka_producer = False
    enable_web = False
    enable_sensors = False  # the worker's app starts and stops the monitor that all share


class LaneApp(faust.App):
    """The Faust app of one lane: it joins the lane's consumer group and hands fetched runs to the lane."""

    BootStrategy = LaneBoot

    member: LaneMember
    consumer: LaneConsumer
    #: a fetch waits so long for more while records come
    fetch_wait_ms: int

    def _new_transport(self) -> LaneTransport:
        return LaneTransport(self.conf.broker_consumer, self)

    def lag(self) -> dict[TopicPartition, int]:
        """Records per partition given to this member that the lane has not finished with, as far as the last fetch saw the end."""
        return self.consumer.lag()


class WorkerBoot(BootStrategy):
    """The worker's app talks to people only."""

    enable_kafka = False


class WorkerApp(faust.App):
    """The app of a worker. It starts its lanes together and stops them together, and a crash of one is its own."""

    BootStrategy = WorkerBoot

    lane_apps: Sequence[LaneApp]
    crash_grace_s: float

    async def on_start(self) -> None:
        """Without Faust's own, which makes a consumer."""
        self.finalize()

    async def _wait_for_table_recovery_completed(self) -> bool:
        """Start every lane; each has its first assignment when this returns. True when the worker stopped instead."""
        await asyncio.gather(*(self.add_runtime_dependency(app) for app in self.lane_apps))
        return bool(self.should_stop)

    async def on_stop(self) -> None:
        """Stop every lane: none waits for another to leave its group."""
        await asyncio.gather(*(app.stop() for app in self.lane_apps))
        await super().on_stop()

    def _crash(self, reason: BaseException) -> None:
        """Whatever crashed, the process ends: with Faust's own shutdown if that works, without it if it hangs."""
        if not self._crashed.is_set():
            timer = threading.Timer(self.crash_grace_s, _end, (reason,))
            timer.daemon = True
            timer.start()
        super()._crash(reason)


class LaneWorker(faust.Worker):
    """Faust's worker with the exit codes of the `assay` command."""

    def execute_from_commandline(self) -> Any:
        try:
            super().execute_from_commandline()
        except SystemExit as end:
            reason = self.app.crash_reason or self.crash_reason
            if reason is None:
                raise
            _say(reason)
            raise SystemExit(exit_code(reason)) from end


def _end(reason: BaseException) -> None:
    _say(reason)
    os._exit(exit_code(reason))


def _say(reason: BaseException) -> None:
    print(visible(f"assay worker: {last_words(reason)}"), file=sys.stderr, flush=True)


def last_words(reason: BaseException) -> str:
    """The text about the end of a worker; the kind of an error that is not ours, which may say nothing else."""
    return str(reason) if isinstance(reason, AssayError) else f"{type(reason).__name__}: {reason}"


def exit_code(reason: BaseException) -> int:
    """The code a worker ends with; never 0."""
    return reason.exit_code if isinstance(reason, AssayError) else 1
