"""The model log under the script that Kafka runs too: workers are simulated processes, in virtual time on one loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from log_script import RECORD_BYTES_MAX, Log
from simulated_worlds import config

from assay.app.lane.assembly import partition_counts
from assay.app.lane.ports import Journal, Outputs
from assay.app.simulation.faults import FailedProduce
from assay.app.simulation.lanes import KeyedEffector, simulated_lanes
from assay.app.simulation.log import ModelLog
from assay.app.simulation.loop import SimulatedLoop
from assay.app.simulation.ports import LogJournal, LogOutputs
from assay.app.simulation.process import Process
from assay.app.simulation.simulator import Simulator


class Worker(Process):
    """A process that shares its loop with others, which outlive it."""

    def _go_on(self) -> None:
        self.loop.run_ready(lambda: True)


class LimitedJournal(LogJournal):
    """What is too large for its topic is refused by the broker."""

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        if len(value) > RECORD_BYTES_MAX:
            self.worker.next_write = FailedProduce()
        return await super().append(value, wall_ms)

    @property
    def worker(self) -> Worker:
        assert isinstance(self._process, Worker)
        return self._process


class SimulatedLog:
    """A `Log` of the script."""

    def __init__(self, seed: int) -> None:
        self._log = ModelLog()
        self._lanes = simulated_lanes(config(), partition_counts(1), KeyedEffector().execute)
        self._simulator = Simulator(self._lanes, self._log, seed)
        self._loop: SimulatedLoop | None = None
        self._workers = 0

    def run(self, script: Callable[[Log], Any]) -> list[object]:
        """What the script is told."""
        runner = self._worker()
        tasks = []
        runner.loop.call_soon(lambda: tasks.append(runner.loop.create_task(script(self))))
        runner.inside(lambda: None)
        while not tasks[0].done():
            self._simulator._events.next()
        found: list[object] = tasks[0].result()
        return found

    def journal(self, name: str) -> Journal:
        return LimitedJournal(self._worker(), (name, 0))

    def outputs(self) -> Outputs:
        return LogOutputs(self._worker())

    async def lose(self, journal: Journal) -> None:
        assert isinstance(journal, LimitedJournal)
        journal.worker.kill()
        self._simulator._network.cut(journal.worker)

    async def read(self, handle: str) -> list[bytes]:
        return self._log.values(handle)

    def _worker(self) -> Worker:
        process = Worker(self._simulator, self._lanes[0], self._workers)
        self._workers += 1
        process.loop = self._loop = self._loop or process.loop
        return process
