"""One lane in this process, as a member of the lane's consumer group: active or standby, its cursor, and what reaches it.

Nothing here knows Faust. The transport asks for the offsets to fetch, to seek and to commit. The agent hands over fetched
records. The table manager says whether the group gave the lane to this worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from assay.agents.step import Chunk, LaneId, TopicPartition
from assay.codecs.columns import I64
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: a standby's task may be followed by the task of the active lane, so the current one is looked up this often
LOOK_AGAIN_S = 0.2


class DrivenLane(Protocol):
    """The part the shell drives: chunks go in and offsets come out, the lane does everything else."""

    @property
    def next_offset(self) -> int:
        """Next offset of its journal that is not folded here."""

    async def read(self, table: str, key: str) -> dict[str, Any] | None:
        """The row of this key in a table of the lane, as it is between two folds; None when there is no such row."""

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

    def waits_for(self) -> list[str]:
        """Handles of the topics whose watermarks hold back rows that were received."""

    def position(self) -> dict[TopicPartition, int]:
        """Next offset per input partition that is not yet in the journal."""

    def committable(self) -> dict[TopicPartition, int]:
        """Next offset per input partition whose outputs are acknowledged."""

    async def run(self) -> None:
        """Work until cancelled. Raises on a broken promise, never returns."""

    async def close(self) -> None:
        """Let go of everything held outside the process."""


class ShellLane(NamedTuple):
    """One shard of a lane. `topics` maps the real name of an input topic to its handle, `tables` are the names of its tables."""

    id: LaneId
    group: str
    topics: Mapping[str, str]
    tables: tuple[str, ...]
    lane: DrivenLane


class FetchedChunk(NamedTuple):
    """A chunk and the position it was read from: offsets `begins` up to the chunk's last are covered by it."""

    begins: int
    chunk: Chunk


class LaneMember:
    """A lane and its state in the group: active once it has recovered here, standby before. The cursor is the next offset to feed."""

    def __init__(self, spec: ShellLane) -> None:
        self.spec = spec
        self.lane = spec.lane
        self.rows_fed = 0
        self._cursor: dict[TopicPartition, int] | None = None
        self._task: asyncio.Task[None] | None = None
        self._given = False
        self._closed = False

    @property
    def active(self) -> bool:
        """Whether the lane has recovered here and runs."""
        return self._cursor is not None and not self._closed

    def place(self, topic: str, partition: int) -> TopicPartition:
        """The place a topic partition has in code."""
        return (self.spec.topics[topic], partition)

    async def own(self, *, given: bool) -> None:
        """Recover and start the lane if it is given and not active yet, else stand by for it.

        A lane that `keep` says is another worker's before it is claimed here is stood by for.
        Raises Stop(LANE_TAKEN_OVER) when the lane is active here and not given.
        """
        self.keep(given=given)
        if self._given and not self.active and await self._recovered():
            self._cursor = dict(self.lane.position())
            self._task = asyncio.create_task(self.lane.run(), name=f"lane {self.spec.id}")
        elif self._task is None:
            self._task = asyncio.create_task(self.lane.follow(), name=f"standby of lane {self.spec.id}")

    async def _recovered(self) -> bool:
        following, self._task = self._task, None
        recovered = await self.lane.recover(lambda: self._given)
        if following is not None:
            await following
        return recovered

    def keep(self, *, given: bool) -> None:
        """Whether the group gives the lane to this worker. Raises Stop(LANE_TAKEN_OVER) when it is active here and not given."""
        self._given = given
        if self.active and not given:
            raise self._taken_over()

    def refuse_absent(self, topics: Iterable[str]) -> None:
        """Raises Stop(TOPIC_UNKNOWN) when the lane is given and reads a topic that is not among these: the broker does not have it."""
        absent = sorted(set(self.spec.topics) - set(topics)) if self._given else []
        if absent:
            raise Stop(
                Reason.TOPIC_UNKNOWN,
                f"the broker has no topic {', '.join(absent)}",
                remedy="It was deleted, or the broker is starting. Start the worker again: it compares topics with those it began with.",
            )

    async def failure(self) -> None:
        """Wait until the task of the lane ends by itself. Raises its error, Stop(LANE_ENDED) when it has none."""
        while True:
            task = self._task
            if task is None:
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            await asyncio.wait([task], timeout=LOOK_AGAIN_S)
            if task.done() and task is self._task:
                if task.cancelled():  # Faust takes a cancelled task for one that was asked to stop
                    raise Stop(Reason.LANE_ENDED, f"{task.get_name()} was cancelled")
                task.result()
                raise Stop(Reason.LANE_ENDED, f"{task.get_name()} returned, it works until it is cancelled")

    async def close(self) -> None:
        """Stop the lane where it stands; the journal says where to go on. What it has finished with may still be committed."""
        task, self._task = self._task, None  # a task that ends from here on was asked to
        self._closed = True
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.lane.close()

    def wants(self, place: TopicPartition) -> bool:
        """Whether the lane is active and has room for more of this partition."""
        return self.active and self.lane.wants(place)

    def cursor(self, place: TopicPartition, beginning: int) -> int:
        """Where fetching goes on: the next offset of the lane, `beginning` for a partition it has not read yet."""
        return beginning if self._cursor is None else self._cursor.get(place, beginning)

    def feed(self, run: FetchedChunk) -> None:
        """Hand the rows that the lane has not had to it.

        Raises Stop(INPUT_GAP) when rows before them never came, Stop(LANE_TAKEN_OVER) when the lane is not active here.
        """
        if self._cursor is None:
            raise self._taken_over()
        chunk = run.chunk
        cursor = self._cursor.get(chunk.tp, run.begins)
        if run.begins > cursor:
            raise Stop(
                Reason.INPUT_GAP,
                f"lane {self.spec.id} expects offset {cursor}, the fetch begins at {run.begins}",
                where=f"{chunk.handle}[{chunk.partition}]",
                remedy="Restart the worker; it reads again from its journal's position.",
            )
        first = int(np.searchsorted(chunk.offsets, cursor))
        if first < len(chunk.offsets):
            fresh = chunk if first == 0 else _tail(chunk, first)
            self.lane.feed(fresh._replace(begins=cursor))
            self.rows_fed += len(fresh.offsets)
        self._cursor[chunk.tp] = max(cursor, int(chunk.offsets[-1]) + 1)

    def committable(self) -> dict[TopicPartition, int]:
        """Next offset per partition that the lane has finished with; empty for a standby."""
        return {} if self._cursor is None else self.lane.committable()

    def _taken_over(self) -> Stop:
        return Stop(
            Reason.LANE_TAKEN_OVER,
            f"another worker was given lane {self.spec.id}",
            remedy="Nothing is lost: the lane goes on there; this worker may be started again as its standby.",
        )


def _tail(chunk: Chunk, first: int) -> Chunk:
    index: I64 = np.arange(first, len(chunk.offsets), dtype=np.int64)
    return chunk._replace(offsets=chunk.offsets[index], values=chunk.values.take(index))
