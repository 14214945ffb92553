"""A standby and the worker it takes over from, on the model log: whenever the other's last records land, nothing is lost or done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable

import pytest
from driven_lanes import DEADLINE_S, LogJournal, LogOutputs, drive, lanes_of, play, simulated, wired, world
from simulated_worlds import LANES, decision_digest, outcomes, published

from assay.agents.step import TopicPartition
from assay.app.simulation.lanes import KeyedEffector
from assay.app.simulation.log import ModelLog
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason


class Held(LogJournal):
    """The active's journal: what it appends after the first records waits until the standby lets it."""

    def __init__(self, log: ModelLog, tp: TopicPartition, appends: int) -> None:
        super().__init__(log, tp)
        self.free, self._appends = asyncio.Event(), appends

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        if self.appended >= self._appends:
            await self.free.wait()
        return await super().append(value, wall_ms)


class Claiming(LogJournal):
    """The standby's journal: the active is let go before the claim reaches the log, after it, or never."""

    def __init__(self, log: ModelLog, tp: TopicPartition, active: Held, goes_on: str) -> None:
        super().__init__(log, tp)
        self._active, self._goes_on = active, goes_on

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        if self._goes_on == "before" and not self._active.free.is_set():
            self._active.free.set()
            before = self._log.end(self._place)
            while self._log.end(self._place) == before:
                await asyncio.sleep(0)
        acknowledged = await super().append(value, wall_ms)
        if self._goes_on == "after":
            self._active.free.set()
        return acknowledged


#: two writers of the audit meet in the object store, which the model log is not
TAKEOVERS = [("audit", "never"), *((name, goes_on) for name in ("rtdl", "act") for goes_on in ("never", "before", "after"))]


@pytest.mark.parametrize(("lane_name", "active_goes_on"), TAKEOVERS)
def test_a_standby_takes_over_what_it_followed(lane_name: str, active_goes_on: str) -> None:
    log, effector = published(world(), 1), KeyedEffector()
    for name in LANES[: LANES.index(lane_name)]:
        drive(name, log, effector)
    lane = lanes_of(effector)[lane_name]
    tp = lane.journal or ("segments", 0)

    async def whole() -> BaseException | None:
        enough = 1 if lane_name == "audit" else 3  # the audit's segments hold many records each
        held = Held(log, tp, enough)
        active = wired(lane, held, LogOutputs(log), effector)
        standby = wired(lane, Claiming(log, tp, held, active_goes_on), LogOutputs(log), effector)
        working, following = asyncio.create_task(play(active, lane, log)), asyncio.create_task(standby.follow())
        async with asyncio.timeout(DEADLINE_S):
            while standby.next_offset < enough:
                await asyncio.sleep(0)
        await play(standby, lane, log)
        await following
        if active_goes_on == "never":
            working.cancel()
        [ended] = await asyncio.gather(working, return_exceptions=True)
        await standby.close()
        await active.close()
        return ended

    ended = asyncio.run(whole())
    if active_goes_on == "after":
        assert isinstance(ended, Stop)
        assert ended.reason is Reason.JOURNAL_OFFSET_UNEXPECTED
    for name in LANES[LANES.index(lane_name) + 1 :]:
        drive(name, log, effector)
    assert decision_digest(log) == decision_digest(simulated().log)
    assert len(set(outcomes(log))) == len(effector.acts) == len(world().payments)


@pytest.mark.parametrize("lane_name", ["rtdl", "act"])
def test_one_that_is_told_before_its_claim_that_the_lane_is_anothers_writes_nothing_and_stands_by(lane_name: str) -> None:
    log, effector = published(world(), 1), KeyedEffector()
    for name in LANES[: LANES.index(lane_name)]:
        drive(name, log, effector)
    lane = lanes_of(effector)[lane_name]
    assert lane.journal is not None
    tp = lane.journal

    async def whole() -> None:
        active, standby = (wired(lane, LogJournal(log, tp), LogOutputs(log), effector) for _ in range(2))
        assert not await standby.recover(lambda: False)
        assert log.end(tp) == 0
        following = asyncio.create_task(standby.follow())
        await play(active, lane, log)
        async with asyncio.timeout(DEADLINE_S):
            while standby.next_offset < log.end(tp):
                await asyncio.sleep(0)
        await play(standby, lane, log)
        await following
        for driver in (active, standby):
            await driver.close()

    asyncio.run(whole())
    for name in LANES[LANES.index(lane_name) + 1 :]:
        drive(name, log, effector)
    assert decision_digest(log) == decision_digest(simulated().log)
    assert len(set(outcomes(log))) == len(effector.acts) == len(world().payments)


class Slow(LogJournal):
    """A journal whose acknowledgements take a while, and whose follower waits until there are records, as on a broker."""

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        acknowledged = await super().append(value, wall_ms)

        async def later() -> int:
            for _ in range(100):
                await asyncio.sleep(0)
            return await acknowledged

        return asyncio.ensure_future(later())

    async def follow(self) -> AsyncGenerator[list[tuple[int, bytes]]]:
        while True:
            if records := self._new():
                for _ in range(150):
                    await asyncio.sleep(0)
                yield records
            await asyncio.sleep(0)


def test_a_lane_that_is_recovered_before_it_has_begun_to_follow_stands_behind_its_own_claims() -> None:
    """A worker is given a lane right after it was told to stand by for it. It claims twice, because outputs may be unemitted."""
    log, effector = published(world(), 1), KeyedEffector()
    lane = lanes_of(effector)["rtdl"]
    tp = ("FP_JOURNAL_RTDL_V1", 0)
    with pytest.raises(Retry, match="the broker is gone"):
        asyncio.run(play(wired(lane, LogJournal(log, tp), LogOutputs(log, fails_at=1), effector), lane, log))
    before = log.end(tp)

    async def scenario() -> int:
        driver = wired(lane, Slow(log, tp), LogOutputs(log), effector)
        following = asyncio.create_task(driver.follow())
        assert await driver.recover()
        async with asyncio.timeout(DEADLINE_S):
            await following
        return driver.next_offset

    stands = asyncio.run(scenario())
    assert (stands, log.end(tp)) == (before + 2, before + 2)
