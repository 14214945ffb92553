"""The loop of the World Streamer and of the delivery of labels: rows go through the gate in the order of their times, with marks, and
go on where they were interrupted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, NamedTuple

from assay.app.progress import unseen
from assay.app.streamer.checkpoint import Cursor, Keeper
from assay.app.streamer.frontiers import Frontiers
from assay.app.streamer.gate_client import Interrupted
from assay.app.streamer.gate_port import Gate
from assay.app.streamer.pacing import END_OF_TIME, StreamPace
from assay.app.streamer.rate_plan import Rate
from assay.app.streamer.refused import refuse_refused
from assay.app.streamer.sequence import EventSequence, StreamBatch
from assay.app.streamer.watch import UNWATCHED, Watch
from assay.contracts.limits import BODY_BYTES_MAX

#: the longest nap while nothing is due, so that a request to stop is seen
NAP_MAX_S = 0.25
#: paced rows are sent together when they are due within this much wall time
PACED_TICK_US = 20_000


class StreamOptions(NamedTuple):
    """How to stream. None of it changes what the lanes compute."""

    batch_rows: int = 2_000
    in_flight: int = 2
    batches_per_mark: int = 4
    speedup: float = 0.0
    #: events of a sequence that this process sends at most, 0 for all
    max_events: int = 0
    #: events that the gate sets aside: False ends the stream at the first of them
    let_gate_refuse: bool = False
    body_bytes_max: int = BODY_BYTES_MAX


class Streamed(NamedTuple):
    """What became of the sequence: rows acknowledged in all, whether it is complete, and the gate's counts in this process.

    `retries`: calls that were made again. `bounded`: it stopped at its `max_events`.
    """

    position: int
    total: int
    complete: bool
    counts: Counter[str]
    retries: int = 0
    bounded: bool = False


class Alongside(NamedTuple):
    """What the sequences of one process share.

    `frontiers`: how far each of them is. `limit_us`: how far this one may go, where it waits for the context before it. `pace_from`: the
    event time that was due when the process began, None for the first row of the sequence. `floor_us(next_us)`: the time that may be
    marked when the next row is of that time; None says that this was the last row, and that nobody else has one. `is_held(next_us)`:
    whether a row of that time waits for rows that this process does not send. `awaits(name, next_us)` is told of a due row that waits
    for context, with None when none does; `marks_held(name, next_us)` of marks that another lane holds back. `watch` is told of all.
    """

    name: str
    frontiers: Frontiers
    limit_us: Callable[[], int] = lambda: END_OF_TIME
    pace_from: StreamPace | None = None
    floor_us: Callable[[int | None], int | None] = lambda next_us: next_us
    is_held: Callable[[int], bool] = lambda _: False
    awaits: Callable[[str, int | None], None] = lambda _, __: None
    marks_held: Callable[[str, int | None], None] = lambda _, __: None
    watch: Watch = UNWATCHED


class WorldStreamer:
    """Streams one sequence. `show(position)` is told of every acknowledged batch; `wall_us` is the clock paced streaming follows.

    `begin_us` is the event time that is due when a paced stream begins; None is that of the next row. `rate` limits events a second;
    `alongside` is for one of several sequences.
    """

    def __init__(
        self,
        sequence: EventSequence,
        gate: Gate,
        checkpoint: Keeper,
        options: StreamOptions,
        stop: asyncio.Event,
        show: Callable[[int], None] = unseen,
        wall_us: Callable[[], int] = lambda: time.monotonic_ns() // 1_000,
        begin_us: int | None = None,
        rate: Rate | None = None,
        alongside: Alongside | None = None,
    ) -> None:
        self._sequence, self._gate, self._checkpoint, self._options = sequence, gate, checkpoint, options
        self._stop, self._show, self._wall_us, self._begin_us = stop, show, wall_us, begin_us
        self._rate = rate or Rate((), 0)
        self._alongside = alongside or Alongside("", Frontiers(()))
        self._flying: deque[tuple[StreamBatch, asyncio.Task[dict[str, Any]]]] = deque()
        self._counts: Counter[str] = Counter()
        self._since_mark = 0
        self._position = self._sent = self._events = 0
        self._bounded = False
        self._next_us: int | None = None

    async def run(self) -> Streamed:
        """Stream from the checkpoint to the end, or until `stop` is set: then what is on its way is finished and kept.

        Raises what the gate client raises, Stop(GATE_REJECTED) for an event that the gate set aside, and Stop(BODY_OVER_LIMIT) at a
        row that no call can hold; the checkpoint then holds every batch acknowledged before.
        """
        cursor = self._checkpoint.load(self._sequence.total)
        self._position = self._sent = cursor.position
        self._alongside.watch.began(self._alongside.name, cursor.position, self._sequence.total)
        await self._sequence.prepare(cursor.position)
        self._next_us = self._sequence.next_us(cursor.position)
        self._alongside.frontiers.reach(self._alongside.name, self._next_us)
        if cursor.complete:
            return self._streamed(complete=True)
        try:
            if cursor.position < self._sequence.total:
                await self._mark()  # the lanes need not wait for the first row, nor for a mark that the last process did not send
            await self._send_all()
            while self._flying:
                await self._settle_oldest()
            if self._position == self._sequence.total:
                await self._finish()
                return self._streamed(complete=True)
            if self._bounded:
                self._alongside.frontiers.hold(self._alongside.name)
        except Interrupted:
            pass
        finally:
            await self._let_go()
        return self._streamed(complete=False)

    async def _send_all(self) -> None:
        begin_us = (self._next_us or 0) if self._begin_us is None else self._begin_us
        pace = self._alongside.pace_from or StreamPace(begin_us, self._wall_us(), self._options.speedup)
        while not self._stop.is_set():
            await self._sequence.prepare(self._sent)
            now_us = self._wall_us()
            if self._options.max_events and self._events >= self._options.max_events:
                self._bounded = True
                return
            rows = self._rate.grant(now_us, min(self._options.batch_rows, (self._options.max_events or END_OF_TIME) - self._events))
            due_us, limit_us = pace.due_us(now_us), self._alongside.limit_us()
            until_us = min(due_us, limit_us)
            batch = self._sequence.take(self._sent, rows, until_us, self._options.body_bytes_max) if rows else None
            if batch is not None:
                self._rate.spend(batch.rows)
                self._events += batch.rows
                await self._send(batch)
                continue
            next_us = self._sequence.next_us(self._sent)
            if next_us is None:
                return
            self._alongside.awaits(self._alongside.name, next_us if limit_us < next_us <= due_us else None)
            if self._alongside.is_held(next_us):
                self._bounded = True
                return
            wait_us = max(pace.wait_us(next_us, now_us), self._rate.wait_us(now_us), PACED_TICK_US)
            await self._idle(wait_us / 1_000_000)

    async def _send(self, batch: StreamBatch) -> None:
        self._alongside.awaits(self._alongside.name, None)
        while len(self._flying) >= self._options.in_flight:
            await self._settle_oldest()
        self._flying.append((batch, asyncio.ensure_future(self._ingest(batch))))
        self._sent = batch.end
        self._alongside.watch.sent(self._alongside.name, batch.rows, len(self._flying))
        await asyncio.sleep(0)  # the call goes out before the next batch is framed

    async def _ingest(self, batch: StreamBatch) -> dict[str, Any]:
        return await self._gate.ingest(batch.body) if batch.rows else {}

    async def _idle(self, seconds: float) -> None:
        """Nothing is due: settle what is on its way, let the marks follow, rest a little."""
        if self._flying:
            await self._settle_oldest()
        elif self._since_mark:
            await self._keep_and_mark()
        else:
            await self._alongside.frontiers.moved(min(seconds, NAP_MAX_S))

    async def _settle_oldest(self) -> None:
        batch, call = self._flying[0]
        answer = await call
        self._flying.popleft()
        counts = answer.get("counts", {})
        try:
            if not self._options.let_gate_refuse:
                refuse_refused(answer, batch, self._position)
            self._position, self._next_us = batch.end, batch.next_us
        finally:
            left = self._sequence.total - self._position
            self._alongside.watch.taken(self._alongside.name, counts, len(self._flying), left)
        self._counts.update(counts)
        self._since_mark += 1
        self._alongside.frontiers.reach(self._alongside.name, self._next_us)
        self._show(self._position)
        if self._since_mark >= self._options.batches_per_mark:
            await self._keep_and_mark()

    async def _keep_and_mark(self) -> None:
        """Checkpoint first: marks never go backwards when the same run is streamed again from it."""
        await self._keep(Cursor(self._position, next_us=self._next_us))
        self._since_mark = 0
        await self._mark()

    async def _mark(self) -> None:
        """Mark the classes of the sequence with the time of the first row that is not acknowledged."""
        next_us, own_us = self._alongside.floor_us(self._next_us), END_OF_TIME if self._next_us is None else self._next_us
        self._alongside.marks_held(self._alongside.name, own_us if next_us is not None and next_us < own_us else None)
        ts_us = self._sequence.end_us if next_us is None else next_us
        await self._gate.mark(ts_us, self._sequence.classes, final=next_us is None)

    async def _finish(self) -> None:
        await self._keep_and_mark()
        await self._keep(Cursor(self._position, complete=True))

    async def _keep(self, cursor: Cursor) -> None:
        """Write in a thread: other sequences and calls on their way go on. Who is cancelled waits for it, so writes keep their order."""
        saved = asyncio.ensure_future(asyncio.to_thread(self._checkpoint.save, cursor))
        try:
            await asyncio.shield(saved)
        except asyncio.CancelledError:
            await asyncio.wait([saved])
            raise
        self._alongside.watch.kept(self._alongside.name, cursor.position)

    async def _let_go(self) -> None:
        """After a failure: wait for the calls still on their way, and keep what was acknowledged in order."""
        calls = [call for _, call in self._flying]
        self._flying.clear()
        await asyncio.gather(*calls, return_exceptions=True)
        if self._since_mark:
            await self._keep(Cursor(self._position, next_us=self._next_us))

    def _streamed(self, *, complete: bool) -> Streamed:
        self._alongside.watch.ended(self._alongside.name, self._position, complete=complete)
        return Streamed(self._position, self._sequence.total, complete, self._counts, bounded=self._bounded)
