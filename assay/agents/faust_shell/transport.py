"""The transport below the agents: one message per partition and fetch, and no offset bookkeeping of its own.

Fetching goes on at the lane's cursor (the journal is the position of record), never at the group's committed offset.
The commit says what the lane has finished with, for lag tools. A contract test stands on every part of Faust and
aiokafka that is overridden or reached into here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import faust
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP
from mode import Seconds, Service
from mode.services import WaitResults
from mode.threads import MethodQueue, MethodQueueWorker

from assay.agents.faust_shell.fetching import fetch_runs, pace_fetches, to_chunk, wake_when_answered
from assay.agents.faust_shell.lanes import FetchedChunk, LaneMember
from assay.agents.step import TopicPartition
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: how long aiokafka holds other partitions back while one is fetched but not taken; its own 100 ms would stall a merge
PREFETCH_BACKOFF_S = 0.01
#: how often a full lane is asked again
FULL_POLL_S = 0.005
PARTLY_FULL_POLL_S = 0.02
#: how often the membership in the group is looked at
MEMBERSHIP_LOOK_S = 1.0


class Message(NamedTuple):
    """What the stock consumer takes for one record: `offset` is the last of the run, `value` the whole run."""

    topic: str
    partition: int
    offset: int
    value: FetchedChunk
    timestamp: int | None = None
    timestamp_type: int | None = None
    headers: None = None
    key: bytes | None = None
    checksum: None = None
    serialized_key_size: int = 0
    serialized_value_size: int = 0


class CallWorker(MethodQueueWorker):
    """Takes the calls to the consumer's thread until it is cancelled. Stock makes a task for each wait: for a call, a stop, a crash."""

    @Service.task
    async def _method_queue_do_work(self) -> None:
        while not self.should_stop:  # a call that is under way takes the cancellation for itself
            await self.method_queue._process_enqueued(await self.method_queue._queue.get())


class CallQueue(MethodQueue):
    """The calls to the consumer's thread."""

    Worker = CallWorker


class LaneConsumerThread(AIOKafkaConsumerThread):
    """The thread aiokafka runs in, with fetch waits fit for several partitions under backpressure."""

    app: Any  # a LaneApp; Faust declares its own app type

    @property
    def method_queue(self) -> MethodQueue:
        """Made when it is first asked for, as stock's."""
        if self._method_queue is None:
            self._method_queue = CallQueue(loop=self.thread_loop, beacon=self.beacon)
        return self._method_queue

    async def on_start(self) -> None:
        await super().on_start()
        self.fit(self._ensure_consumer()._fetcher)

    def fit(self, fetcher: Fetcher) -> None:
        """Let a fetcher fetch as a lane needs it."""
        fetcher._prefetch_backoff = PREFETCH_BACKOFF_S
        fetcher._isolation_level = READ_COMMITTED  # stock, without exactly-once: what a transaction gave up would be decided
        fetch_runs(fetcher)
        pace_fetches(fetcher, self.app.fetch_wait_ms)
        wake_when_answered(fetcher)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Stock's look for stuck streams, but not while a position is looked up anew: it asserts one, which would end the worker."""
        subscription = self._ensure_consumer()._fetcher._subscriptions.subscription
        state = subscription.assignment.state_value(tp) if subscription and subscription.assignment else None
        if state is not None and state.has_valid_position:
            super().verify_event_path(now, tp)

    def membership_error(self) -> BaseException | None:
        """The error at which aiokafka has given up the membership in the group; None while it has not."""
        coordinator = self._consumer and self._consumer._coordinator
        if not coordinator:
            return None
        task = coordinator._coordination_task
        ended: BaseException | None = task.exception() if task.done() and not task.cancelled() else None
        return ended or coordinator._pending_exception


class LaneConsumer(Consumer):
    """Fetches what the lane wants from where it stands."""

    app: Any  # a LaneApp; Faust declares its own app type
    _thread: LaneConsumerThread

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.member: LaneMember = self.app.member
        self._positions: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        # A fetch that began before a seek must be over when the seek is made: its records are older than the cursor.
        self._seek_lock = asyncio.Lock()

    def _new_consumer_thread(self) -> LaneConsumerThread:
        return LaneConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @Service.task
    async def _watch_membership(self) -> None:
        """aiokafka says only to who fetches that it has given up, and a standby fetches nothing: it would wait for ever."""
        while not self.should_stop:
            error = self._thread.membership_error()
            if error is not None:
                raise _no_member(self.member, error)
            await self.sleep(MEMBERSHIP_LOOK_S)

    def place(self, tp: TP) -> TopicPartition:
        """Where a topic partition is in code."""
        return self.member.place(tp.topic, tp.partition)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Forget every position: nothing is fetched again before it is sought."""
        self._positions = {}
        self._committed = {}
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Seek every owned partition to the lane's cursor. Crashes the worker when that offset is not there."""
        try:
            async with self._seek_lock:
                await self._seek_to_cursors()
        except Exception as error:
            await self.crash(error)  # one caller in Faust logs and goes on
            raise

    async def _seek_to_cursors(self) -> None:
        owned = self.assignment()
        beginnings, ends = await self.earliest_offsets(*owned), await self.highwaters(*owned)
        cursors = {tp: self.member.cursor(self.place(tp), beginnings[tp]) for tp in owned}
        for tp, cursor in cursors.items():
            if not beginnings[tp] <= cursor <= ends[tp]:
                raise _lost(tp, cursor, beginnings[tp], ends[tp])
        await self.seek_wait(cursors)
        self._read_offset.update({tp: cursor or None for tp, cursor in cursors.items()})
        self._positions = cursors

    async def sleep(self, n: Seconds) -> None:
        """As stock's; a turn of the loop, which stock asks for before each fetch, costs no task and no timer."""
        await (asyncio.sleep(0) if n == 0 else super().sleep(n))

    async def wait_first(self, *coros: Any, timeout: Any = None) -> WaitResults:
        """As stock's; a message that its stream takes at once costs no tasks.

        Stock gives (delivery of a message, flow suspended). A delivery waits only while the flow of the app is suspended.
        """
        delivery, *rest = coros
        if not self.app.flow_control.is_active():
            return await super().wait_first(*coros, timeout=timeout)
        for one in rest:
            one.close()
        return WaitResults([delivery], [await delivery], self.should_stop)

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        if self.flow_active and not self._get_active_partitions():
            await asyncio.sleep(PARTLY_FULL_POLL_S)  # stock: one second, which an idle worker would add to a takeover
            return {}, set()
        return await super()._wait_next_records(timeout)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[Message]]:
        async with self._seek_lock:
            positions = self._positions
            sought = [tp for tp in active_partitions or () if tp in positions]
            wanted = {tp for tp in sought if self.member.wants(self.place(tp))}
            if not wanted:
                await asyncio.sleep(FULL_POLL_S)
                return {}
            records = await super()._getmany(wanted, timeout if len(wanted) == len(sought) else PARTLY_FULL_POLL_S)
            if positions is not self._positions:  # assigned anew meanwhile: all of it is fetched again from the cursor
                return {}
            return {tp: [await self._run(TP(*tp), found)] for tp, found in records.items()}

    async def _run(self, tp: TP, records: list[Any]) -> Message:
        begins, chunk = self._positions[tp], to_chunk(self.place(tp), records)
        if chunk.offsets[0] < begins:  # the client went back by itself: what it stood at is no longer there
            raise _lost(tp, begins, int(chunk.offsets[0]), self.highwater(tp))
        if chunk.offsets[0] > begins:
            await self._refuse_loss(tp, begins)
        last = int(chunk.offsets[-1])
        self._positions[tp] = last + 1
        return Message(tp.topic, tp.partition, last, FetchedChunk(begins, chunk))

    async def _refuse_loss(self, tp: TP, begins: int) -> None:
        """Offsets without a record (transaction markers) are no loss; records deleted under the reader are."""
        beginning = (await self.earliest_offsets(tp))[tp]
        if beginning > begins:
            raise _lost(tp, begins, beginning, self.highwater(tp))

    async def force_commit(self, topics: Iterable[Any] | None = None, start_new_transaction: bool = True) -> bool:
        """Commit what the lane has finished with. A failed commit ends the worker; a failed worker commits no more."""
        offsets = {} if self.crashed else self._new_offsets()
        if not offsets:
            return False
        committed = await self._commit_offsets(offsets, start_new_transaction=start_new_transaction)
        if committed:
            self._committed.update(offsets)
        elif self._thread.crashed:
            await self.crash(self._thread.crash_reason or RuntimeError("commit failed"))
        return committed

    def lag(self) -> dict[TopicPartition, int]:
        """End of the topic minus the next offset to finish, per owned partition."""
        finished = self.member.committable()
        return {(p := self.place(tp)): max(0, (self.highwater(tp) or 0) - finished.get(p, at)) for tp, at in self._positions.items()}

    def _new_offsets(self) -> dict[TP, int]:
        finished = self.member.committable()
        places = {tp: self.place(tp) for tp in self._positions}
        return {tp: finished[p] for tp, p in places.items() if p in finished and finished[p] > self._committed.get(tp, 0)}


class LaneTransport(Transport):
    """Faust's aiokafka transport with our consumer."""

    Consumer = LaneConsumer


class LaneMonitor(faust.Monitor):
    """Faust's own counters, counting rows where the stock ones would count fetches."""

    def on_stream_event_in(self, tp: TP, offset: int, stream: Any, event: Any) -> dict[str, Any] | None:
        """Count the rows of the run."""
        state = super().on_stream_event_in(tp, offset, stream, event)
        more = len(event.value.chunk.offsets) - 1
        self.events_total += more
        self.events_by_stream[self.stream_lookup[stream]] += more
        return state


def _no_member(member: LaneMember, error: BaseException) -> Stop:
    return Stop(
        Reason.LANE_ENDED,
        f"lane {member.spec.id} is no member of its group: {type(error).__name__}: {error}",
        where=member.spec.group,
        remedy="Start the worker again. Nothing else may use the group; where the broker has ACLs, the worker needs READ on it.",
    )


def _lost(tp: TP, cursor: int, beginning: int, end: int) -> Stop:
    return Stop(
        Reason.INPUT_OFFSET_LOST,
        f"the next offset to decide is {cursor}, the topic holds {beginning} to {end}",
        where=f"{tp.topic}[{tp.partition}]",
        remedy="Records were deleted, or the topic was made anew, before they were decided: restore it or start a new run.",
    )
