"""A row that people read is a row between two folds: a read never runs while the lane's state changes, wherever it changes."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest
from driven_lanes import Clock, LogJournal, LogOutputs
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.agents.step import Chunk, EffectResults, JournalEntry, LaneOutput, TopicPartition
from assay.app.lane.driver import LaneDriver
from assay.app.run.failpoints import Failpoints
from assay.app.simulation.log import LoggedRecord, ModelLog

JOURNAL = ("J", 0)
SMALL, LARGE = 1, 10
#: turns of the event loop in which a read or a fold that does not wait would be over
TURNS = 200
DEADLINE_S = 20.0
Row = dict[str, int] | None


class Pair:
    """A machine whose only row holds two numbers; a fold raises one, is interrupted, and raises the other."""

    name = "pair"

    def __init__(self, sizes: Sequence[int] = ()) -> None:
        self._due = list(sizes)
        self._left = self._right = 0
        self._busy = threading.Lock()
        self.overlaps = 0
        self.fold_threads = list[str]()
        #: `fold` or `read` waits here while it is set to wait
        self.gates: dict[str, threading.Event] = {}
        self.entered = threading.Event()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        alone = self._busy.acquire(blocking=False)
        self.overlaps += not alone
        try:
            yield
        finally:
            if alone:
                self._busy.release()

    def _interrupted(self, what: str) -> None:
        if what in self.gates:
            self.entered.set()
            assert self.gates[what].wait(DEADLINE_S)
        time.sleep(0)  # another thread may go on here

    def _fold(self) -> None:
        with self._alone():
            self._left += 1
            self._interrupted("fold")
            self._right += 1
            self.fold_threads.append(threading.current_thread().name)

    @property
    def folds(self) -> int:
        return len(self.fold_threads)

    def row(self, key: str) -> Row:
        if key != "known":
            return None
        with self._alone():
            left = self._left
            self._interrupted("read")
            return {"left": left, "right": self._right}

    def table(self, name: str) -> Pair | None:
        return self if name == "pairs" else None

    def next_entry(self, wall_us: int) -> JournalEntry | None:
        return JournalEntry(0, b"fold", self._due.pop(0)) if self._due else None

    def apply(self, value: bytes) -> LaneOutput:
        self._fold()
        return LaneOutput(())

    def recover(self, value: bytes) -> None:
        self._fold()

    def receive(self, chunk: Chunk) -> None: ...

    def bootstrap(self, ends: Mapping[TopicPartition, int]) -> None: ...

    def wants(self, place: TopicPartition) -> bool:
        return True

    def waits_for(self) -> list[str]:
        return []

    def results_entry(self, results: EffectResults, wall_us: int) -> JournalEntry:
        raise AssertionError("it has no effects")

    def emitted(self, sequence: int) -> None: ...

    def unemitted(self) -> Sequence[tuple[int, LaneOutput]]:
        return ()

    def claim_entry(self, wall_us: int) -> JournalEntry | None:
        return None

    def fencing_check(self, sequence: int, between: Sequence[bytes]) -> bool:
        return False

    def position(self) -> dict[TopicPartition, int]:
        return {}

    def committable(self) -> dict[TopicPartition, int]:
        return {}


def play(machine: Pair, scenario: Callable[[LaneDriver], Awaitable[None]], journaled: int = 0) -> None:
    """Run a scenario with a driver of this machine; the journal holds so many records already."""
    log = ModelLog()
    for _ in range(journaled):
        log.append(JOURNAL, LoggedRecord(b"", b"fold", 0))

    async def whole() -> None:
        driver = LaneDriver(machine, LogJournal(log, JOURNAL), LogOutputs(log), Clock(), Failpoints(), small_rows=LARGE)
        try:
            async with asyncio.timeout(DEADLINE_S):
                await scenario(driver)
        finally:
            for gate in machine.gates.values():
                gate.set()
            await driver.close()

    asyncio.run(whole())


async def once(holds: Callable[[], bool]) -> None:
    """Let the event loop turn until this holds."""
    while not holds():
        await asyncio.sleep(0)


async def turns() -> None:
    """Let the event loop turn."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def _recovering(driver: LaneDriver) -> None:
    await driver.recover()


async def _running(driver: LaneDriver) -> None:
    await driver.recover()
    await driver.run()


@pytest.mark.parametrize(
    ("sizes", "journaled", "work"),
    [
        pytest.param([LARGE], 0, _running, id="a large fold"),
        pytest.param([], 1, _recovering, id="a record of the journal at start"),
        pytest.param([], 1, LaneDriver.follow, id="a record of the journal that a standby follows"),
    ],
)
def test_a_read_waits_for_the_fold_under_way_and_sees_it_whole(
    sizes: list[int], journaled: int, work: Callable[[LaneDriver], Awaitable[None]]
) -> None:
    machine = Pair(sizes)
    machine.gates["fold"] = threading.Event()

    async def scenario(driver: LaneDriver) -> None:
        working = asyncio.ensure_future(work(driver))
        await once(machine.entered.is_set)
        reading = asyncio.create_task(driver.read("pairs", "known"))
        await turns()
        assert not reading.done()
        machine.gates["fold"].set()
        assert await reading == {"left": 1, "right": 1}
        working.cancel()

    play(machine, scenario, journaled)
    assert machine.overlaps == 0


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("waited_for", [True, False])
def test_a_fold_waits_for_the_read_under_way_even_when_nobody_waits_for_that_any_more(size: int, waited_for: bool) -> None:
    machine = Pair([size])
    machine.gates["read"] = threading.Event()

    async def scenario(driver: LaneDriver) -> None:
        await driver.recover()
        reading = asyncio.create_task(driver.read("pairs", "known"))
        await once(machine.entered.is_set)
        if not waited_for:
            reading.cancel()
        running = asyncio.create_task(driver.run())
        await turns()
        assert (machine.folds, machine.overlaps) == (0, 0)
        machine.gates["read"].set()
        if waited_for:
            assert await reading == {"left": 0, "right": 0}
        await once(lambda: machine.folds == 1)
        running.cancel()

    play(machine, scenario)
    assert machine.overlaps == 0


def test_small_folds_stay_in_the_event_loop_once_nothing_is_read() -> None:
    machine = Pair([SMALL, SMALL])

    async def scenario(driver: LaneDriver) -> None:
        await driver.recover()
        for _ in range(3):
            await driver.read("pairs", "known")
        running = asyncio.create_task(driver.run())
        await once(lambda: machine.folds == 2)
        running.cancel()

    play(machine, scenario)
    assert machine.fold_threads == [threading.main_thread().name] * 2


@pytest.mark.parametrize(("table", "key"), [("pairs", "unknown"), ("others", "known")])
def test_there_is_no_row_of_an_unknown_table_or_key(table: str, key: str) -> None:
    async def scenario(driver: LaneDriver) -> None:
        assert await driver.read(table, key) is None

    play(Pair(), scenario)


@settings(max_examples=drawn(25))
@given(st.lists(st.sampled_from([SMALL, LARGE]), min_size=1, max_size=30), st.lists(st.integers(0, 20), min_size=1, max_size=30))
def test_no_read_ever_sees_half_a_fold_and_none_goes_back(sizes: list[int], pauses: list[int]) -> None:
    machine, rows = Pair(sizes), list[Row]()

    async def scenario(driver: LaneDriver) -> None:
        await driver.recover()
        running = asyncio.create_task(driver.run())
        for pause in pauses:
            reading = asyncio.create_task(driver.read("pairs", "known"))
            for _ in range(pause):
                await asyncio.sleep(0)
            rows.append(await reading)
        await once(lambda: machine.folds == len(sizes))
        rows.append(await driver.read("pairs", "known"))
        running.cancel()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        play(machine, scenario)
    finally:
        sys.setswitchinterval(before)
    assert machine.overlaps == 0
    seen = [(row["left"], row["right"]) for row in rows if row]
    assert all(left == right for left, right in seen), seen
    assert seen == sorted(seen)
    assert seen[-1] == (len(sizes), len(sizes))
