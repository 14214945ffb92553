"""The driver that gives a lane bytes and time, over the model log: the same decisions, and no output after a broken promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import cache

import numpy as np
import pytest
from simulated_worlds import LANES, Finished, World, config, decision_digest, decisions, outcomes, published, run, small_world

from assay.agents.step import Chunk, EffectResults, Effects, Emission, Machine, Place
from assay.app.failpoints import Failpoints
from assay.app.lane_driver import LaneDriver
from assay.app.lanes import partition_counts
from assay.app.simulated_lanes import KeyedEffector, simulated_lanes
from assay.app.simulator import ModelLog, Record, SimulatedLane
from assay.codecs.columns import Strings
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

WALL_US = 1_800_000_000_000_000
DEADLINE_S = 30.0


@cache
def world() -> World:
    return small_world(payments=40)


@cache
def simulated() -> Finished:
    return run(world())


class LogJournal:
    """A partition of the model log as a journal. `before_append` is what another writer does meanwhile."""

    def __init__(self, log: ModelLog, place: Place, before_append: Callable[[int], None] = lambda count: None) -> None:
        self._log, self._place, self._before = log, place, before_append
        self.appended = 0

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        self._before(self.appended)
        self.appended += 1
        acknowledged: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(self._log.append(self._place, Record(b"", value, wall_ms * 1_000)))
        return acknowledged

    async def read_all(self) -> AsyncIterator[tuple[int, bytes]]:
        for offset, record in enumerate(self._log.read(self._place, 0, self._log.end(self._place))):
            yield offset, record.value


class LogOutputs:
    """Publishes to the model log; `fails_at` is the publish that raises instead, counting from 1."""

    def __init__(self, log: ModelLog, fails_at: int = 0) -> None:
        self._log, self._left = log, fails_at
        self.published = 0

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def publish(self, emissions: Sequence[Emission], wall_ms: int) -> None:
        self._left -= 1
        if self._left == 0:
            raise Retry(Reason.PRODUCE_FAILED, "the broker is gone")
        self.published += 1
        for emission in emissions:
            for partition, key, value in zip(emission.partitions.tolist(), emission.keys.tolist(), emission.values.tolist(), strict=True):
                self._log.append((emission.handle, partition), Record(key or b"", value or b"", wall_ms * 1_000))


class KeyedPort:
    """The keyed effector as the driver calls it."""

    def __init__(self, effector: KeyedEffector) -> None:
        self._effector = effector

    async def execute(self, effects: Effects) -> EffectResults:
        return self._effector.execute(effects)


class Clock:
    """A wall clock that moves by a second whenever it is read."""

    def __init__(self) -> None:
        self.now_us = WALL_US

    def __call__(self) -> int:
        self.now_us += 1_000_000
        return self.now_us


def wired(lane: SimulatedLane, log: ModelLog, journal: LogJournal, outputs: LogOutputs, effector: KeyedEffector) -> LaneDriver:
    acts = KeyedPort(effector) if lane.name == "act" else None
    return LaneDriver(lane.make(), journal, outputs, Clock(), Failpoints(), acts)


async def play(driver: LaneDriver, lane: SimulatedLane, log: ModelLog) -> None:
    """Recover, feed the whole input, run until everything received is out; raises what the driver raises."""
    await driver.recover()
    for place in lane.places:
        start, end = driver.position()[place], log.end(place)
        if end > start:
            values = [record.value for record in log.read(place, start, end - start)]
            driver.feed(Chunk(*place, np.arange(start, end, dtype=np.int64), Strings.of(values)))
    running = asyncio.create_task(driver.run())
    async with asyncio.timeout(DEADLINE_S):
        while not running.done() and not _at_rest(driver.machine, lane, log, driver):
            await asyncio.sleep(0)
    if running.done():
        running.result()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _at_rest(machine: Machine, lane: SimulatedLane, log: ModelLog, driver: LaneDriver) -> bool:
    """Everything that was fed is journaled, its outputs are acknowledged, and it may be committed."""
    ends = {place: log.end(place) for place in lane.places}
    if lane.name == "act":  # it reads its own outcomes in the next round
        return max(driver.committable().values(), default=0) >= len(world().payments)
    return all(driver.committable().get(place) == end for place, end in ends.items())


def lanes_of(effector: KeyedEffector) -> dict[str, SimulatedLane]:
    return {lane.name: lane for lane in simulated_lanes(config(), partition_counts(1), effector.execute, rows_max=7)}


def drive(
    name: str, log: ModelLog, effector: KeyedEffector, journal: LogJournal | None = None, outputs: LogOutputs | None = None
) -> LogOutputs:
    """Drive one lane over the log to the end of its input."""
    lane = lanes_of(effector)[name]
    wired_outputs = outputs or LogOutputs(log)
    driver = wired(lane, log, journal or LogJournal(log, lane.journal), wired_outputs, effector)

    async def whole() -> None:
        try:
            await play(driver, lane, log)
        finally:
            await driver.close()

    asyncio.run(whole())
    return wired_outputs


def test_the_driver_and_the_simulator_decide_alike() -> None:
    log, effector = published(world(), 1), KeyedEffector()
    for name in LANES:
        drive(name, log, effector)
    assert decision_digest(log) == decision_digest(simulated().log)
    assert len(outcomes(log)) == len(effector.calls) == len(world().payments)
    assert len(log.values("FP_BUS_AUDIT_V1")) == len(world().payments)


def test_a_restart_repeats_nothing_that_was_emitted_but_the_last_records() -> None:
    log, effector = published(world(), 1), KeyedEffector()
    drive("rtdl", log, effector)
    before = len(decisions(log))
    drive("rtdl", log, effector)
    assert set(decisions(log)) == world().payments
    assert before == len(world().payments)
    assert decision_digest(log) == decision_digest(simulated().log)


@pytest.mark.parametrize("meets_at", [0, 1, 3])
def test_another_writers_record_in_the_journal_stops_the_lane_before_it_emits_anything_of_it(meets_at: int) -> None:
    """The record behind the other writer's landed at an unexpected offset: neither it nor any later one is emitted."""
    log, effector = published(world(), 1), KeyedEffector()
    lane = lanes_of(effector)["rtdl"]
    foreign = b"another writer"

    def meet(appended: int) -> None:
        if appended == meets_at:
            log.append(lane.journal, Record(b"", foreign, WALL_US))

    outputs = LogOutputs(log)
    with pytest.raises(Stop) as stopped:
        drive("rtdl", log, effector, LogJournal(log, lane.journal, meet), outputs)
    assert stopped.value.reason is Reason.JOURNAL_OFFSET_UNEXPECTED
    assert outputs.published <= max(0, meets_at - 1), "only what was journaled before the other writer came may be out"


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_failed_produce_stops_the_lane_and_the_next_process_finishes(fails_at: int) -> None:
    log, effector = published(world(), 1), KeyedEffector()
    with pytest.raises(Retry) as stopped:
        drive("rtdl", log, effector, outputs=LogOutputs(log, fails_at))
    assert stopped.value.reason is Reason.PRODUCE_FAILED
    drive("rtdl", log, effector)
    assert decision_digest(log) == decision_digest(simulated().log)


class CancelledJournal(LogJournal):
    """The client lets go of an acknowledgement instead of answering it."""

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        acknowledged = await super().append(value, wall_ms)
        if self.appended == 3 and isinstance(acknowledged, asyncio.Future):
            acknowledged = asyncio.get_running_loop().create_future()
            acknowledged.cancel()
        return acknowledged


def test_a_cancelled_acknowledgement_ends_the_lane_instead_of_one_of_its_stages() -> None:
    log, effector = published(world(), 1), KeyedEffector()
    journal = CancelledJournal(log, lanes_of(effector)["rtdl"].journal)
    with pytest.raises(Stop) as stopped:
        drive("rtdl", log, effector, journal)
    assert stopped.value.reason is Reason.LANE_ENDED
    drive("rtdl", log, effector)
    assert decision_digest(log) == decision_digest(simulated().log)


def test_an_effector_that_raises_stops_the_lane_and_is_asked_first_afterwards() -> None:
    log, effector = published(world(), 1), KeyedEffector()
    drive("rtdl", log, effector)
    calls = 0

    class Breaks(KeyedEffector):
        def execute(self, effects: Effects) -> EffectResults:
            nonlocal calls
            calls += 1
            results = effector.execute(effects)
            if calls == 3:
                raise OSError("the disk is full")
            return results

    with pytest.raises(OSError, match="full"):
        drive("act", log, Breaks())
    assert 0 < len(effector.calls) < len(world().payments)
    drive("act", log, effector)
    assert set(effector.calls.values()) == {1}, "what was done before the stop is asked for, not done again"
    assert len(outcomes(log)) == len(world().payments)
