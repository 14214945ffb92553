"""The lanes of one worker: which are owned, where each stands in its input, and what reaches it.

Nothing here knows Faust. The transport asks what to fetch, where to seek and what to commit; the agents hand over what
was fetched; the table manager says which lanes the group gave to this worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from assay.agents.step import Chunk, TopicPartition
from assay.codecs.columns import I64
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class Rows(Protocol):
    """One table of a lane as the web view reads it."""

    def row(self, key: str) -> dict[str, Any] | None:
        """The row of this key, None when there is none."""


class DrivenLane(Protocol):
    """What the shell drives: it moves chunks in and offsets out, the lane does everything else."""

    @property
    def machine(self) -> Any:
        """The pure side of the lane; the shell asks it for nothing but `table(name)`, which gives `Rows` or None."""

    @property
    def next_offset(self) -> int:
        """Next offset of its journal that is not folded here."""

    async def follow(self) -> None:
        """Stand by until `recover` is called: fold the journal as its owner writes it."""

    async def recover(self, still_given: Callable[[], bool]) -> bool:
        """Fold the journal, or what is left of it, and claim the lane before anything is fetched; raising ends the worker.

        False when the lane was given to another worker before it was claimed: then it may be followed and recovered again.
        """

    def feed(self, chunk: Chunk) -> None:
        """Take fetched records, in offset order within a partition, each row once."""

    def wants(self, place: TopicPartition) -> bool:
        """False while enough of this partition is buffered."""

    def position(self) -> dict[TopicPartition, int]:
        """Next offset per input partition that is not yet in the journal."""

    def committable(self) -> dict[TopicPartition, int]:
        """Next offset per input partition whose outputs are acknowledged."""

    async def run(self) -> None:
        """Work until cancelled. Raises on a broken promise, never returns."""

    async def close(self) -> None:
        """Let go of everything held outside the process."""


class ShellLane(NamedTuple):
    """A lane and its inputs: `topics` maps a topic's real name to its handle."""

    name: str
    topics: Mapping[str, str]
    lane: DrivenLane


class FetchedChunk(NamedTuple):
    """A chunk and the position it was read from: offsets `begins` up to the chunk's last are covered by it."""

    begins: int
    chunk: Chunk


class Lanes:
    """All lanes this process may own. Cursors are next offsets to feed; they start at the lane's position."""

    def __init__(self, specs: Sequence[ShellLane]) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self._handles = {topic: handle for spec in specs for topic, handle in spec.topics.items()}
        self._consumers: dict[str, list[str]] = {}
        for spec in specs:
            for handle in spec.topics.values():
                self._consumers.setdefault(handle, []).append(spec.name)
        self._cursors: dict[str, dict[TopicPartition, int]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._given: set[str] = set()
        self.rows_fed = dict.fromkeys(self.specs, 0)

    @property
    def owned(self) -> list[str]:
        """Names of the lanes that have recovered here and run."""
        return list(self._cursors)

    @property
    def broken(self) -> asyncio.Task[None] | None:
        """The first lane task that ended, None while all run."""
        return next((task for task in self._tasks.values() if task.done()), None)

    def place(self, topic: str, partition: int) -> TopicPartition:
        """The place a topic partition has in code."""
        return (self._handles[topic], partition)

    async def own(self, names: Iterable[str]) -> None:
        """Recover and start the lanes not owned yet, in the order they were declared; stand by for the others.

        A lane that `keep` says is another worker's before it is claimed here is stood by for.
        Raises Stop(LANE_TAKEN_OVER) when an owned lane is missing from `names`: the group gave it to another worker.
        """
        self.keep(names)
        for name, spec in self.specs.items():
            if name in self._given and name not in self._cursors and await self._recovered(spec):
                self._cursors[name] = dict(spec.lane.position())
                self._tasks[name] = asyncio.create_task(_run(spec), name=f"lane {name}")
            elif name not in self._tasks:
                self._tasks[name] = asyncio.create_task(spec.lane.follow(), name=f"standby of lane {name}")

    async def _recovered(self, spec: ShellLane) -> bool:
        following = self._tasks.pop(spec.name, None)
        recovered = await spec.lane.recover(lambda: spec.name in self._given)
        if following is not None:
            await following
        return recovered

    def keep(self, given: Iterable[str]) -> None:
        """The group gives these lanes. Raises Stop(LANE_TAKEN_OVER) when an owned one is not among them."""
        self._given = set(given)
        lost = sorted(set(self._cursors) - self._given)
        if lost:
            raise _taken_over(lost)

    def refuse_absent(self, topics: Iterable[str]) -> None:
        """Raises Stop(TOPIC_UNKNOWN) when a lane that is given reads a topic that is not among these: the broker does not have it."""
        absent = sorted({topic for name in self._given for topic in self.specs[name].topics} - set(topics))
        if absent:
            raise Stop(
                Reason.TOPIC_UNKNOWN,
                f"the broker has no topic {', '.join(absent)}",
                remedy="It was deleted, or the broker is starting. Start the worker again: it compares topics with those it began with.",
            )

    async def failure(self) -> None:
        """Wait until a lane ends and raise what ended it."""
        while True:
            await asyncio.wait([*self._tasks.values(), asyncio.create_task(asyncio.sleep(0.2))], return_when="FIRST_COMPLETED")
            if self.broken is not None:
                if self.broken.cancelled():  # Faust takes a cancelled task for one that was asked to stop
                    raise Stop(Reason.LANE_ENDED, f"{self.broken.get_name()} was cancelled")
                self.broken.result()

    async def close(self) -> None:
        """Stop every lane where it stands; the journal says where to go on."""
        tasks, self._tasks = self._tasks, {}  # what ends from here on was asked to
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        for name in tasks:
            await self.specs[name].lane.close()

    def wants(self, place: TopicPartition) -> bool:
        """Whether every owned lane that reads this partition has room for more of it."""
        readers = [name for name in self._consumers.get(place[0], ()) if name in self._cursors]
        return bool(readers) and all(self.specs[name].lane.wants(place) for name in readers)

    def cursor(self, place: TopicPartition, beginning: int) -> int:
        """Where fetching goes on: the lowest next offset of the lanes that read this partition."""
        readers = [name for name in self._consumers.get(place[0], ()) if name in self._cursors]
        return min((self._cursors[name].get(place, beginning) for name in readers), default=beginning)

    def feed(self, name: str, run: FetchedChunk) -> None:
        """Hand the rows a lane has not had to it.

        Raises Stop(INPUT_GAP) when rows before them never came, Stop(LANE_TAKEN_OVER) when the lane was dealt away since they were fetched.
        """
        if name not in self._cursors:
            raise _taken_over([name])
        cursors, chunk = self._cursors[name], run.chunk
        cursor = cursors.get(chunk.tp, run.begins)
        if run.begins > cursor:
            raise Stop(
                Reason.INPUT_GAP,
                f"lane {name} expects offset {cursor}, the fetch begins at {run.begins}",
                where=f"{chunk.handle}[{chunk.partition}]",
                remedy="Restart the worker; it reads again from its journal's position.",
            )
        first = int(np.searchsorted(chunk.offsets, cursor))
        if first < len(chunk.offsets):
            fresh = chunk if first == 0 else _tail(chunk, first)
            self.specs[name].lane.feed(fresh._replace(begins=cursor))
            self.rows_fed[name] += len(fresh.offsets)
        cursors[chunk.tp] = max(cursor, int(chunk.offsets[-1]) + 1)

    def committable(self) -> dict[TopicPartition, int]:
        """Next offset per partition that every owned lane reading it has finished with."""
        offsets: dict[TopicPartition, int] = {}
        reported = {name: self.specs[name].lane.committable() for name in self._cursors}
        for place in {place for report in reported.values() for place in report}:
            readers = [name for name in self._consumers.get(place[0], ()) if name in reported]
            if all(place in reported[name] for name in readers):
                offsets[place] = min(reported[name][place] for name in readers)
        return offsets

    def table(self, name: str) -> Rows | None:
        """The table of this name in the first owned lane that has it."""
        found = (self.specs[lane].lane.machine.table(name) for lane in self._cursors)
        return next((table for table in found if table is not None), None)


def _tail(chunk: Chunk, first: int) -> Chunk:
    index: I64 = np.arange(first, len(chunk.offsets), dtype=np.int64)
    return Chunk(chunk.handle, chunk.partition, chunk.offsets[index], chunk.values.take(index))


async def _run(spec: ShellLane) -> None:
    await spec.lane.run()
    raise Stop(Reason.LANE_ENDED, f"lane {spec.name} returned, a lane runs until it is cancelled")


def _taken_over(names: Sequence[str]) -> Stop:
    return Stop(
        Reason.LANE_TAKEN_OVER,
        f"another worker was given {', '.join(names)}",
        remedy="Nothing is lost: the lane goes on there; this worker may be started again as its standby.",
    )
