"""Lanes of a streamer: several processes send one run, each the events that its number names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from assay.app.streamer.checkpoint import Keeper
from assay.app.streamer.gate_port import Gate
from assay.app.streamer.pacing import END_OF_TIME
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: how old the checkpoints of other lanes may be that a lane goes by
REFRESH_US = 200_000


class Lane(NamedTuple):
    """Lane `number` of `lanes`, counted from 0."""

    number: int = 0
    lanes: int = 1

    def has(self, event_id: str) -> bool:
        """Whether this lane sends an event: the first 8 bytes of its id, an unsigned big-endian number, modulo the number of lanes.

        event_id: 64 hex digits, the sha256 that the recipe asks for.
        """
        return self.lanes == 1 or int(event_id[:16], 16) % self.lanes == self.number

    @property
    def others(self) -> list[Lane]:
        """The lanes beside this one."""
        return [Lane(number, self.lanes) for number in range(self.lanes) if number != self.number]


ALONE = Lane()


def lane_of(number: int, lanes: int) -> Lane:
    """Raises Stop(STREAM_LANE_INVALID)."""
    if not 0 <= number < lanes:
        what = f"lane {number} of {lanes}"
        raise Stop(Reason.STREAM_LANE_INVALID, what, where="--lane", remedy=f"Lanes of {lanes} are 0 to {lanes - 1}.")
    return Lane(number, lanes)


def refuse_other_count(asked: int, kept: int) -> None:
    """Raises Stop(STREAM_LANE_INVALID) where a run was begun with another number of lanes."""
    if asked != kept:
        what = f"--lanes {asked}, and this run was begun with --lanes {kept}: its positions are of those lanes"
        remedy = f"Go on with --lanes {kept}, all of them, or start another run."
        raise Stop(Reason.STREAM_LANE_INVALID, what, where="--lanes", remedy=remedy)


class Floor:
    """What may be marked where lanes share a sequence: the least time that any of them has not sent yet.

    `others`: checkpoints of the other lanes. `total`: rows of the sequence; `first_us`: the time of its first one.
    """

    def __init__(self, others: Sequence[Keeper], total: int, first_us: int) -> None:
        self._others, self._total, self._first_us = others, total, first_us

    def __call__(self, next_us: int | None) -> int | None:
        """The time of the first row that some lane has not sent; None when all have sent all. `next_us`: that of this lane."""
        times = [END_OF_TIME if next_us is None else next_us]
        for other in self._others:
            cursor = other.load(self._total)
            if cursor.position < self._total:
                times.append(cursor.next_us if cursor.next_us is not None else self._first_us)
        least = min(times)
        return None if least == END_OF_TIME else least


class Limit:
    """How far events may be sent that follow context: every lane has to have sent its part of the context before.

    `own`: the limit in this lane; `floors`: those of the other lanes, one for each output of context. They are read again at most
    every `REFRESH_US`; `wall_us` is the clock.
    """

    def __init__(self, own: Callable[[], int], floors: Sequence[Floor], wall_us: Callable[[], int]) -> None:
        self._own, self._floors, self._wall_us = own, floors, wall_us
        self._others_us, self._read_us = -END_OF_TIME, -END_OF_TIME

    def __call__(self) -> int:
        """Microseconds of event time: rows up to it may be sent."""
        now_us = self._wall_us()
        if now_us - self._read_us >= REFRESH_US:
            times = [END_OF_TIME if found is None else found for found in (floor(None) for floor in self._floors)]
            self._others_us, self._read_us = min(times, default=END_OF_TIME) - bool(times), now_us
        return min(self._own(), self._others_us)


class GateOfLanes:
    """A gate that several lanes mark: a mark that another lane has gone beyond meanwhile says nothing new."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def ingest(self, body: bytes) -> dict[str, Any]:
        """A batch of envelopes."""
        return await self._gate.ingest(body)

    async def mark(self, ts_us: int, classes: Sequence[str], *, final: bool) -> None:
        """A watermark of these classes."""
        try:
            await self._gate.mark(ts_us, classes, final=final)
        except Stop as refusal:
            if refusal.reason is not Reason.GATE_REJECTED or Reason.MARK_BACKWARDS.name not in refusal.what:
                raise
