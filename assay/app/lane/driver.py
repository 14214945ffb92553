"""The imperative side of a lane: bytes and time in and out of a machine, in the order the law asks for.

Journal record appended → acknowledged at the expected offset → outputs → acknowledged → committable. Under load record k+2
travels while k+1 is folded in a thread and the outputs of k are on their way; small records go one by one. A failed or unknown
append or produce stops the lane; it is never only logged.

State is touched by one thread at a time. Large folds, the journal's records at start and reads for people run in the lane's compute
thread, one after the other. A small fold runs in the event loop while no read is under way, else in the compute thread too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import Any, NamedTuple

from assay.agents.journal import recreated, refuse_cut_short
from assay.agents.step import Chunk, JournalEntry, LaneOutput, Machine, TopicPartition
from assay.app.bus.finished_batch import SMALL_ROWS
from assay.app.lane.arrivals import UNWATCHED, LaneWatch, Waited
from assay.app.lane.ports import Effector, Journal, Outputs
from assay.app.lane.refusals import landed_elsewhere, no_effector
from assay.app.run.failpoints import Failpoints
from assay.app.snapshots.taking import Snapshots
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: a machine that groups records by time is asked again this often
LOOK_AGAIN_S = 0.2
#: journal records between their making and the acknowledgement of their outputs: one per stage and one that waits
IN_FLIGHT_MAX = 4
#: claims that another writer's records may overtake before the lane is left to it
CLAIMS_MAX = 20


class _InFlight(NamedTuple):
    entry: JournalEntry
    acknowledged: Awaitable[int]
    expected_offset: int
    made_us: int


class LaneDriver:
    """Runs one machine. `feed` takes fetched chunks; `run` never returns while promises hold."""

    def __init__(
        self,
        machine: Machine,
        journal: Journal,
        outputs: Outputs,
        wall_us: Callable[[], int],
        failpoints: Failpoints,
        effector: Effector | None = None,
        watch: LaneWatch = UNWATCHED,
        input_ends: Callable[[], Awaitable[Mapping[TopicPartition, int]]] | None = None,
        snapshots: Snapshots | None = None,
        committed: Callable[[], Awaitable[Mapping[TopicPartition, int]]] | None = None,
        small_rows: int = SMALL_ROWS,
    ) -> None:
        self.machine = machine
        self._journal, self._outputs, self._effector = journal, outputs, effector
        self._wall_us, self._failpoints = wall_us, failpoints
        self._input_ends = input_ends
        self._snapshots = snapshots
        self._begun, self._committed = snapshots is None, committed
        self._watch, self._small_rows = watch, small_rows
        self._compute = ThreadPoolExecutor(1, thread_name_prefix=f"lane-{machine.name}")
        self._fed = asyncio.Event()
        self._in_flight: asyncio.Queue[_InFlight] = asyncio.Queue()
        self._folded: asyncio.Queue[tuple[_InFlight, LaneOutput, Sequence[Waited]]] = asyncio.Queue()
        # answers of effects are journaled before the next batch, so a lane with effects has one record under way
        self._room = asyncio.Semaphore(IN_FLIGHT_MAX if effector is None else 1)
        self._next_offset = self._reads = 0
        #: records of writers whose epoch is over that landed between this one's
        self._zombie_records = 0
        self._reading, self._taken_over = asyncio.Lock(), asyncio.Event()

    def feed(self, chunk: Chunk) -> None:
        """Take fetched records."""
        self._watch.arrived(chunk, self._wall_us)
        self.machine.receive(chunk)
        self._fed.set()

    def wants(self, place: TopicPartition) -> bool:
        return self.machine.wants(place)

    def waits_for(self) -> list[str]:
        return self.machine.waits_for()

    def position(self) -> dict[TopicPartition, int]:
        return self.machine.position()

    def committable(self) -> dict[TopicPartition, int]:
        return self.machine.committable()

    async def read(self, table: str, key: str) -> dict[str, Any] | None:
        """The row of this key in a table of the machine, as it is between two folds; None when there is no such table or row."""
        reading = asyncio.get_running_loop().run_in_executor(self._compute, self._row, table, key)
        self._reads += 1
        reading.add_done_callback(self._read_over)
        return await asyncio.shield(reading)  # the thread goes on when nobody waits for it any more

    def _read_over(self, reading: asyncio.Future[Any]) -> None:
        self._reads -= 1

    def _row(self, table: str, key: str) -> dict[str, Any] | None:
        found = self.machine.table(table)
        row: dict[str, Any] | None = None if found is None else found.row(key)
        return row

    @property
    def next_offset(self) -> int:
        """Where the next journal record is expected: what is folded here."""
        return self._next_offset + self._zombie_records

    async def follow(self) -> None:
        """Stand by: fold the journal as another worker writes it, until this one recovers the lane."""
        async with self._reading:
            if self._taken_over.is_set():  # recovered before this began: what it would read now are the lane's own claims
                return
            await self._begin()
            try:
                await self._follow()
            finally:
                if self._snapshots is not None:
                    await self._snapshots.drop()

    async def _begin(self) -> None:
        """Take the newest snapshot, if this lane has them and has not begun."""
        if self._snapshots is not None and not self._begun:
            self._begun = True
            self._next_offset = await asyncio.get_running_loop().run_in_executor(self._compute, self._snapshots.start)

    async def _follow(self) -> None:
        async with aclosing(self._journal.follow()) as arriving:
            async for records in arriving:
                for offset, value in records:
                    await self._fold(offset, value)
                    if self._snapshots is not None:
                        await self._snapshots.between_folds(self._next_offset, self._taken_over)
                if self._taken_over.is_set():
                    return

    async def recover(self, still_given: Callable[[], bool] = lambda: True) -> bool:
        """Fold the journal, claim the lane, publish what may be unemitted, and claim again to record that it is out.

        False, and the lane can be followed again, when it is another worker's by the time of the claim.
        """
        self._taken_over.set()
        await self._journal.start()
        await self._outputs.start()
        await self._failpoints.reach("recovering")
        read = await self._read_and_claim(still_given)
        if read is None:
            self._taken_over.clear()
            return False
        tail, claimed = read
        for sequence, output in tail:
            await self._settle(sequence, output)
        if tail:
            claimed = await self._claim()
        self.machine.emitted(claimed)
        if self._input_ends is not None:
            self.machine.bootstrap(await self._input_ends())
        return True

    async def _fold(self, offset: int, value: bytes) -> None:
        await asyncio.get_running_loop().run_in_executor(self._compute, self.machine.recover, value)
        self._next_offset = offset + 1

    async def _read_and_claim(self, still_given: Callable[[], bool]) -> tuple[Sequence[tuple[int, LaneOutput]], int] | None:
        """Until the claim lands right behind what was read: the writer it ends may still be writing. None when it is not to be made."""
        committed = {} if self._committed is None else await self._committed()  # before the journal, which is never behind it
        for attempt in range(CLAIMS_MAX):
            async with self._reading:
                await self._begin()
                async for offset, value in self._journal.read_all():
                    await self._fold(offset, value)
            refuse_cut_short(self.machine.name, committed, self.machine.position())
            if not still_given():
                return None
            tail = self.machine.unemitted()
            try:
                return tail, await self._claim()
            except Stop as late:
                if late.reason is not Reason.JOURNAL_OFFSET_UNEXPECTED or attempt == CLAIMS_MAX - 1:
                    raise
        raise AssertionError("unreachable")

    async def _claim(self) -> int:
        """End older epochs: from here on, no other writer's record counts. The sequence of the claim, -1 without one."""
        entry = self.machine.claim_entry(self._wall_us())
        if entry is None:
            return -1
        flight = await self._send(entry)
        await self._failpoints.reach("claiming")
        await self._confirm(flight, alone=True)
        await self._apply(entry)
        return entry.sequence

    async def run(self) -> None:
        """Journal and fold until something breaks a promise; then raise."""
        stages = (self._append_entries(), self._fold_entries(), self._emit_outputs())
        tasks = {asyncio.create_task(stage) for stage in stages}
        try:
            # no stage returns, and one that was cancelled from below counts as broken: the others must not go on without it
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.cancelled():
                    raise Stop(Reason.LANE_ENDED, f"lane {self.machine.name}: a stage of it was cancelled")
                task.result()
        finally:
            for task in tasks:
                task.cancel()

    async def close(self) -> None:
        """Release the thread and the connections."""
        self._compute.shutdown(wait=True)
        await self._journal.close()
        await self._outputs.close()

    async def _append_entries(self) -> None:
        while True:
            await self._room.acquire()
            while (entry := self.machine.next_entry(self._wall_us())) is None:
                self._fed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_S):
                        await self._fed.wait()
            self._in_flight.put_nowait(await self._send(entry))
            if entry.rows < self._small_rows:  # rows that wait meanwhile share the next one's costs; in line they would gain nothing
                await self._in_flight.join()

    async def _send(self, entry: JournalEntry) -> _InFlight:
        expected, self._next_offset = self._next_offset, self._next_offset + 1
        made_us = self._wall_us()
        acknowledged = await self._journal.append(entry.value, made_us // 1_000)
        return _InFlight(entry, acknowledged, expected, made_us)

    async def _confirm(self, flight: _InFlight, *, alone: bool = False) -> None:
        """Wait for the acknowledgement. Another writer's record before it ends this one, unless that writer's epoch is over.

        A claim (`alone`) must land right behind what was read.
        """
        await self._failpoints.reach("before_journal_acknowledged")
        offset, expected = await flight.acknowledged, flight.expected_offset + self._zombie_records
        if offset == expected:
            return
        if not alone and offset > expected:
            between = await self._journal.read_between(expected, offset)
            if self.machine.fencing_check(flight.entry.sequence, between):
                self._zombie_records += len(between)
                return
        if offset < expected:
            raise recreated(self.machine.name, f"it acknowledged offset {offset} where {expected} was to come")
        raise landed_elsewhere(self.machine.name, flight.entry.sequence, offset, expected)

    async def _apply(self, entry: JournalEntry) -> LaneOutput:
        """Fold a record of this writer, never while a row is read."""
        if entry.rows < self._small_rows and not self._reads:
            return self.machine.apply(entry.value)
        return await asyncio.get_running_loop().run_in_executor(self._compute, self.machine.apply, entry.value)

    async def _fold_entries(self) -> None:
        while True:
            flight = await self._in_flight.get()
            output = await self._apply(flight.entry)
            await self._failpoints.reach("folded")
            self._folded.put_nowait((flight, output, self._watch.folded(self.machine.position)))

    async def _emit_outputs(self) -> None:
        """Outputs of record k travel while k+1 is folded; they leave in order, each after its own record's acknowledgement."""
        while True:
            flight, output, waited = await self._folded.get()
            await self._confirm(flight)
            published = await self._settle(flight.entry.sequence, output)
            self._watch.published(flight.entry, published, flight.made_us, waited, self._wall_us)
            self._in_flight.task_done()
            self._room.release()

    async def _settle(self, sequence: int, output: LaneOutput) -> LaneOutput:
        """Outputs of an acknowledged journal record: publish, execute effects, journal what they answered. What was published."""
        await self._failpoints.reach("after_journal_before_produce")
        if output.effects is not None:
            if self._effector is None:
                raise no_effector(self.machine.name, sequence)
            results = await self._effector.execute(output.effects)
            await self._failpoints.reach("after_effects_before_results")
            entry = self.machine.results_entry(results, self._wall_us())
            flight = await self._send(entry)
            await self._confirm(flight)
            answered = await self._apply(entry)
            output, sequence = answered._replace(emissions=[*output.emissions, *answered.emissions]), entry.sequence
        if output.emissions:
            await self._outputs.publish(output.emissions, output.published_ms(self._wall_us()))
        await self._failpoints.reach("after_produce_before_commit")
        self.machine.emitted(sequence)
        return output
