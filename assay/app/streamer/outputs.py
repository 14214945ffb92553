"""The outputs of a run streamed side by side: context ahead of the traffic that it belongs to, each from its own checkpoint."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from assay.app.progress import unseen
from assay.app.streamer.checkpoint import Keeper
from assay.app.streamer.frontiers import Frontiers
from assay.app.streamer.gate_port import Gate
from assay.app.streamer.lane_wait import LanesAwaited, OutputOfLane
from assay.app.streamer.lanes import ALONE, Floor, GateOfLanes, Lane, Limit
from assay.app.streamer.pacing import StreamPace
from assay.app.streamer.rate_plan import Rate, RateStep
from assay.app.streamer.sequence import EventSequence
from assay.app.streamer.watch import UNWATCHED, Watch
from assay.app.streamer.world_streamer import Alongside, Streamed, StreamOptions, WorldStreamer


class OutputStream(NamedTuple):
    """An output that is streamed. `context`: traffic waits for it."""

    name: str
    sequence: EventSequence
    context: bool = False


class Plan(NamedTuple):
    """How outputs are streamed together. `sequential`: one after another, context first.

    `start_us`: UTC microseconds from which the plan of rates counts; 0 for the moment at which the process begins to send.
    """

    options: StreamOptions = StreamOptions()
    rate: Sequence[RateStep] = ()
    lane: Lane = ALONE
    sequential: bool = False
    start_us: int = 0
    watch: Watch = UNWATCHED


class OutputsStreamer:
    """Streams the outputs of a run. `keeper_of(name, lane)` is the checkpoint of an output in a lane; `show` is told of all rows."""

    def __init__(
        self,
        streams: Sequence[OutputStream],
        gate: Gate,
        keeper_of: Callable[[str, Lane], Keeper],
        plan: Plan,
        stop: asyncio.Event,
        show: Callable[[int], None] = unseen,
        wall_us: Callable[[], int] = lambda: time.monotonic_ns() // 1_000,
        utc_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        self._streams = sorted(streams, key=lambda stream: not stream.context)
        self._gate: Gate = gate if plan.lane.lanes == 1 else GateOfLanes(gate)
        self._keeper_of, self._plan, self._stop, self._wall_us = keeper_of, plan, stop, wall_us
        self._show, self._utc_us = show, utc_us
        self._done: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """Rows of all outputs."""
        return sum(stream.sequence.total for stream in self._streams)

    async def run(self) -> Streamed:
        """Stream all outputs to their ends, or until `stop` is set. An output that fails stops the others; what it raised is raised."""
        frontiers = Frontiers(stream.name for stream in self._streams if stream.context)
        pace, rate = self._pace(), Rate(self._plan.rate, self._wall_us() - self._ago_us())
        awaits = self._awaited()
        streamers = [self._streamer(stream, frontiers, pace, rate, awaits) for stream in self._streams]
        found = await (self._one_by_one(streamers) if self._plan.sequential else self._together(streamers))
        counts = sum((one.counts for one in found), Counter[str]())
        complete = len(found) == len(streamers) and all(one.complete for one in found)
        bounded = all(one.complete or one.bounded for one in found) and not complete
        return Streamed(sum(one.position for one in found), self.total, complete, counts, bounded=bounded)

    def _ago_us(self) -> int:
        """For how long the plan of rates has run already."""
        return max(0, self._utc_us() - self._plan.start_us) if self._plan.start_us else 0

    def _pace(self) -> StreamPace:
        """The first row that is not sent yet is due now, and every other one from there."""
        times = [stream.sequence.next_us(self._keeper(stream).load(stream.sequence.total).position) for stream in self._streams]
        return StreamPace(min((ts_us for ts_us in times if ts_us is not None), default=0), self._wall_us(), self._plan.options.speedup)

    def _streamer(self, stream: OutputStream, frontiers: Frontiers, pace: StreamPace, rate: Rate, awaits: LanesAwaited) -> WorldStreamer:
        sequence, alongside = stream.sequence, Alongside(stream.name, frontiers, pace_from=pace, watch=self._plan.watch)
        if self._plan.lane.lanes > 1:
            alongside = alongside._replace(floor_us=self._floor(stream), marks_held=awaits.marks)
        if not stream.context:
            alongside = alongside._replace(limit_us=self._limit(frontiers), is_held=frontiers.is_held, awaits=awaits)

        def show(position: int) -> None:
            self._done[stream.name] = position
            self._show(self._done.total())

        self._done[stream.name] = self._keeper(stream).load(sequence.total).position
        keeper, options = self._keeper(stream), self._plan.options
        clock = self._wall_us
        return WorldStreamer(sequence, self._gate, keeper, options, self._stop, show, clock, rate=rate, alongside=alongside)

    def _floor(self, stream: OutputStream) -> Floor:
        others = [self._keeper_of(stream.name, other) for other in self._plan.lane.others]
        return Floor(others, stream.sequence.total, stream.sequence.next_us(0) or 0)

    def _awaited(self) -> LanesAwaited:
        def of(stream: OutputStream, lane: Lane) -> OutputOfLane:
            sequence = stream.sequence
            keeper, first_us = self._keeper_of(stream.name, lane), sequence.next_us(0) or 0
            return OutputOfLane(stream.name, keeper, sequence.total, first_us, context=stream.context)

        others = {lane.number: [of(stream, lane) for stream in self._streams] for lane in self._plan.lane.others}
        return LanesAwaited(others, self._wall_us, self._plan.watch.lane)

    def _limit(self, frontiers: Frontiers) -> Callable[[], int]:
        if self._plan.lane.lanes == 1:
            return frontiers.limit_us
        return Limit(frontiers.limit_us, [self._floor(stream) for stream in self._streams if stream.context], self._wall_us)

    def _keeper(self, stream: OutputStream) -> Keeper:
        return self._keeper_of(stream.name, self._plan.lane)

    async def _one_by_one(self, streamers: Sequence[WorldStreamer]) -> list[Streamed]:
        return [await streamer.run() for streamer in streamers]

    async def _together(self, streamers: Sequence[WorldStreamer]) -> list[Streamed]:
        async def guarded(streamer: WorldStreamer) -> Streamed:
            try:
                return await streamer.run()
            except BaseException:
                self._stop.set()
                raise

        found = await asyncio.gather(*(guarded(streamer) for streamer in streamers), return_exceptions=True)
        failures = [one for one in found if isinstance(one, BaseException)]
        if failures:
            raise failures[0]
        return [one for one in found if isinstance(one, Streamed)]
