"""A worker with real lanes that copy their input to an output topic; the shell's tests on Kafka start and kill it.

Run as `python pass_through_worker.py '<json>' worker --web-port N` with the JSON of `Wiring`. The output topic is the
lane's position of record: each record is `topic partition offset value`, and recovery reads them all.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from assay.agents.faust_shell.agents import Shell, ShellLane, WorkerApp, build_app
from assay.agents.step import Chunk, Emission, LaneId, TopicPartition
from assay.app.bus.kafka_journal import KafkaJournal
from assay.app.bus.kafka_outputs import KafkaOutputs
from assay.codecs.columns import Strings
from assay.contracts.consumer_groups import group_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class Wiring(NamedTuple):
    """Where the worker runs and how its lane `pass` misbehaves. Another lane writes to `<output>.<lane>`.

    `meet`: each lane waits in its recovery and in its close until every lane of the worker is there.
    """

    bootstrap: str
    namespace: str
    directory: str
    inputs: list[str]
    output: str
    fault: str = ""
    unwanted: list[str] = []  # noqa: RUF012 - a JSON value
    lanes: list[str] = ["pass"]  # noqa: RUF012
    meet: bool = False


class PassThrough:
    """Copies rows in order; wants no more of a partition while 10,000 rows of it wait."""

    def __init__(self, wiring: Wiring, name: str, together: asyncio.Barrier) -> None:
        self.wiring = wiring
        self._together = together
        output = wiring.output if name == "pass" else f"{wiring.output}.{name}"
        self.fault, self._unwanted = (wiring.fault, wiring.unwanted) if name == "pass" else ("", [])
        self.next_offset = 0
        self._journal = KafkaJournal(wiring.bootstrap, output)
        self._outputs = KafkaOutputs(wiring.bootstrap, {"OUT": output})
        self._chunks: list[Chunk] = []
        self._waiting: dict[TopicPartition, int] = {}
        self._position: dict[TopicPartition, int] = {}
        self._news = asyncio.Event()
        self._taken_over = asyncio.Event()

    async def follow(self) -> None:
        """It has no state to keep warm."""
        await self._taken_over.wait()

    async def recover(self, still_given: Callable[[], bool]) -> bool:
        self._taken_over.set()
        await self._together.wait()
        if self.fault == "recover":
            raise Stop(Reason.JOURNAL_UNREADABLE, "this journal cannot be read")
        async for _, value in self._journal.read_all():
            handle, partition, offset, _ = value.split(b" ", 3)
            self._position[(handle.decode(), int(partition))] = int(offset) + 1
        await self._outputs.start()
        return True

    def feed(self, chunk: Chunk) -> None:
        if self.fault == "feed":
            raise Stop(Reason.INPUT_GAP, "this lane refuses its input")
        self._chunks.append(chunk)
        self._waiting[chunk.tp] = self._waiting.get(chunk.tp, 0) + len(chunk.offsets)
        self._news.set()

    def wants(self, tp: TopicPartition) -> bool:
        held = Path(self.wiring.directory, "hold").exists() and tp[0] in self._unwanted
        return not held and self._waiting.get(tp, 0) < 10_000

    def waits_for(self) -> list[str]:
        return []

    def position(self) -> dict[TopicPartition, int]:
        return dict(self._position)

    def committable(self) -> dict[TopicPartition, int]:
        if self.fault == "commit":
            return {tp: offset + 0.5 for tp, offset in self._position.items()}  # type: ignore[misc]  # the fault
        return dict(self._position)

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            chunks, self._chunks = self._chunks, []
            for chunk in chunks:
                if self.fault == "return":
                    return
                if self.fault in ("run", "hang"):
                    raise Stop(Reason.PRODUCE_FAILED, "this lane lost its output")
                if self.fault == "bug" and b"v7" in chunk.values.tolist():
                    raise ZeroDivisionError("nobody thought of v7")
                await self._copy(chunk)

    async def _copy(self, chunk: Chunk) -> None:
        heads = [f"{chunk.handle} {chunk.partition} {offset} ".encode() for offset in chunk.offsets.tolist()]
        values = [head + (value or b"null") for head, value in zip(heads, chunk.values.tolist(), strict=True)]
        n = len(values)
        emission = Emission("OUT", np.zeros(n, np.int32), Strings.of([None] * n), Strings.of(values))
        await self._outputs.publish([emission], int(time.time() * 1000))
        self._position[chunk.tp] = int(chunk.offsets[-1]) + 1
        self._waiting[chunk.tp] -= n

    async def close(self) -> None:
        await self._together.wait()
        if self.fault == "hang":
            await asyncio.Event().wait()
        await self._outputs.close()

    async def read(self, table: str, key: str) -> dict[str, Any] | None:
        handle, _, partition = key.partition(":")
        offset = self._position.get((handle, int(partition))) if partition.isdigit() else None
        return None if offset is None else {"next_offset": offset}


def _health(app: WorkerApp) -> tuple[bytes, str]:
    members = [lane_app.member for lane_app in app.lane_apps]
    lanes = [str(member.spec.id) for member in members if member.active]
    return json.dumps({"lanes": lanes, "rows": {str(member.spec.id): member.rows_fed for member in members}}).encode(), "application/json"


def main(arguments: list[str]) -> None:
    """Run Faust's own command line for the worker described by the first argument."""
    wiring = Wiring(**json.loads(arguments[0]))
    grace_s = 2.0 if wiring.fault == "hang" else 15.0
    shell = Shell("pass-through", wiring.bootstrap, Path(wiring.directory), commit_interval_s=0.2, crash_grace_s=grace_s)
    topics = {topic: topic.upper() for topic in wiring.inputs}
    together = asyncio.Barrier(len(wiring.lanes) if wiring.meet else 1)
    specs = [
        ShellLane(LaneId(name, 0), group, topics, (f"{name}_positions",), PassThrough(wiring, name, together))
        for name in wiring.lanes
        for group in (group_of(wiring.namespace, "run", name, 0),)
    ]
    app = build_app(shell, specs, lambda app: {"/healthz": lambda: _health(app)})
    sys.argv = ["faust", *arguments[1:]]
    app.main()


if __name__ == "__main__":
    main(sys.argv[1:])
