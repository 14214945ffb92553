"""When the records of a lane's inputs arrived, until the lane has folded them: a note per chunk, not per record."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from assay.agents.step import Chunk, JournalEntry, LaneOutput, TopicPartition


class Waited(NamedTuple):
    """So many records arrived at that time (µs)."""

    arrived_us: int
    records: int


class Arrivals:
    """Notes of chunks by partition, in the order of their offsets. A chunk that comes again was noted when it first came."""

    def __init__(self) -> None:
        #: (next offset that is not folded, end, time of arrival)
        self._notes: dict[TopicPartition, deque[tuple[int, int, int]]] = {}
        self._ends: dict[TopicPartition, int] = {}

    def note(self, chunk: Chunk, now_us: int) -> None:
        """Note when a chunk arrived."""
        first, end = max(chunk.first, self._ends.get(chunk.tp, 0)), int(chunk.offsets[-1]) + 1 if len(chunk.offsets) else 0
        if first < end:
            self._notes.setdefault(chunk.tp, deque()).append((first, end, now_us))
            self._ends[chunk.tp] = end

    def folded(self, position: Mapping[TopicPartition, int]) -> list[Waited]:
        """What arrived and is below the position now, and was not before."""
        found = []
        for tp, notes in self._notes.items():
            through = position.get(tp, 0)
            while notes and notes[0][0] < through:
                first, end, arrived_us = notes.popleft()
                found.append(Waited(arrived_us, min(end, through) - first))
                if end > through:
                    notes.appendleft((through, end, arrived_us))
        return found


#: reads the wall clock, in microseconds
Clock = Callable[[], int]


class LaneWatch:
    """Is told what a lane does, and does nothing; what measures inherits it."""

    def arrived(self, chunk: Chunk, clock: Clock) -> None:
        """A chunk was fetched."""

    def folded(self, position: Callable[[], Mapping[TopicPartition, int]]) -> Sequence[Waited]:
        """A journal record was folded, and `position` is behind it; what of the input it answers."""
        return ()

    def published(self, entry: JournalEntry, output: LaneOutput, made_us: int, waited: Sequence[Waited], clock: Clock) -> None:
        """The outputs of a record, made at `made_us`, and of its effects' answers are acknowledged; `waited` is what `folded` gave."""


UNWATCHED: Final = LaneWatch()
