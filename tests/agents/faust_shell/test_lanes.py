"""What reaches a lane, from where fetching goes on, and what is committed: laws that need no Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.agents.faust_shell.lanes import FetchedChunk, LaneMember, ShellLane
from assay.agents.step import Chunk, LaneId, TopicPartition
from assay.codecs.columns import Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

PLACE: TopicPartition = ("IN", 0)


class Collector:
    """A lane that keeps what it is fed."""

    def __init__(self, position: dict[TopicPartition, int] | None = None, room: int = 1_000_000) -> None:
        self.next_offset = 0
        self.offsets: list[int] = []
        self.values: list[bytes | None] = []
        self.recovered = 0
        self.followed = False
        self._taken_over = asyncio.Event()
        self._position = position or {}
        self._room = room

    async def follow(self) -> None:
        self.followed = True
        await self._taken_over.wait()

    async def recover(self, still_given: Callable[[], bool]) -> bool:
        self._taken_over.set()
        self.recovered += 1
        return True

    def feed(self, chunk: Chunk) -> None:
        self.offsets.extend(chunk.offsets.tolist())
        self.values.extend(chunk.values.tolist())

    def wants(self, place: TopicPartition) -> bool:
        return len(self.offsets) < self._room

    def waits_for(self) -> list[str]:
        return []

    def position(self) -> dict[TopicPartition, int]:
        return dict(self._position)

    def committable(self) -> dict[TopicPartition, int]:
        return {PLACE: self.offsets[-1] + 1} if self.offsets else {}

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.recovered = -1

    async def read(self, table: str, key: str) -> dict[str, str]:
        return {"table": table, "key": key}


def a_run(begins: int, offsets: list[int]) -> FetchedChunk:
    return FetchedChunk(begins, Chunk("IN", 0, np.array(offsets, np.int64), Strings.of([b"v%d" % o for o in offsets])))


def member_of(lane: Collector, topics: Sequence[str] = ("in",)) -> LaneMember:
    return LaneMember(ShellLane(LaneId("one", 0), "group", {topic: topic.upper() for topic in topics}, (), lane))


async def active(lane: Collector) -> LaneMember:
    """The member of this lane, which reads topic `in`, taken over."""
    member = member_of(lane)
    await member.own(given=True)
    return member


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), min_size=1, max_size=12), st.integers(0, 40))
def test_any_redelivery_feeds_each_row_once_and_in_order(fetches: list[tuple[int, int]], position: int) -> None:
    async def scenario() -> None:
        lane = Collector({PLACE: position})
        member = await active(lane)
        cursor = position
        for begins, n in fetches:
            start = min(begins, cursor)
            member.feed(a_run(start, list(range(start, start + n))))
            cursor = max(cursor, start + n)
        assert lane.offsets == list(range(position, cursor))
        assert lane.values == [b"v%d" % offset for offset in lane.offsets]
        assert (member.cursor(PLACE, 0), member.rows_fed) == (cursor, len(lane.offsets))
        await member.close()

    asyncio.run(scenario())


def test_offsets_without_a_record_are_passed_over() -> None:
    async def scenario() -> None:
        lane = Collector()
        member = await active(lane)
        member.feed(a_run(0, [0, 1, 3]))
        member.feed(a_run(4, [6, 7]))
        assert lane.offsets == [0, 1, 3, 6, 7]
        await member.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("given", "begins", "reason"),
    [
        pytest.param(True, 6, Reason.INPUT_GAP, id="rows before them never came"),
        pytest.param(False, 5, Reason.LANE_TAKEN_OVER, id="the lane was dealt away since they were fetched"),
    ],
)
def test_rows_that_the_lane_cannot_take_are_refused(given: bool, begins: int, reason: Reason) -> None:
    async def scenario() -> None:
        member = member_of(Collector({PLACE: 5}))
        await member.own(given=given)
        try:
            member.feed(a_run(begins, [6, 7]))
        finally:
            await member.close()

    with pytest.raises(Stop) as stopped:
        asyncio.run(scenario())
    assert stopped.value.reason is reason


def test_fetching_goes_on_at_the_lanes_position_and_at_the_beginning_of_a_partition_it_has_not_read() -> None:
    async def scenario() -> None:
        member = member_of(Collector({PLACE: 7}))
        assert member.cursor(PLACE, 2) == 2
        await member.own(given=True)
        assert (member.cursor(PLACE, 2), member.cursor(("IN", 1), 2)) == (7, 2)
        await member.close()

    asyncio.run(scenario())


def test_a_partition_is_wanted_while_the_lane_is_active_and_has_room() -> None:
    async def scenario() -> None:
        member = member_of(Collector(room=1))
        assert not member.wants(PLACE)
        await member.own(given=True)
        assert member.wants(PLACE)
        member.feed(a_run(0, [0]))
        assert not member.wants(PLACE)
        await member.close()
        assert not member_of(Collector()).wants(PLACE)

    asyncio.run(scenario())


def test_an_active_lane_may_be_committed_for_up_to_its_end_and_a_standby_never() -> None:
    async def scenario() -> None:
        lane = Collector()
        member = member_of(lane)
        lane.offsets.append(3)
        assert member.committable() == {}
        await member.own(given=True)
        member.feed(a_run(4, [4]))
        await member.close()
        assert (member.active, member.committable()) == (False, {PLACE: 5}), "what it has finished with is committed at the end"

    asyncio.run(scenario())


def test_a_lane_recovers_once_and_only_where_it_is_given() -> None:
    async def scenario() -> None:
        lane = Collector()
        member = member_of(lane)
        await member.own(given=False)
        await asyncio.sleep(0)
        assert (lane.recovered, lane.followed, member.active) == (0, True, False), "what another worker owns is stood by for"
        await member.own(given=True)
        await member.own(given=True)
        assert (lane.recovered, member.active) == (1, True)
        await member.close()
        assert (lane.recovered, member.active) == (-1, False)

    asyncio.run(scenario())


def test_a_lane_given_to_another_worker_stops_this_one() -> None:
    async def scenario() -> None:
        member = await active(Collector())
        try:
            member.keep(given=False)
        finally:
            await member.close()

    with pytest.raises(Stop) as stopped:
        asyncio.run(scenario())
    assert stopped.value.reason is Reason.LANE_TAKEN_OVER


def test_a_topic_that_is_gone_ends_the_worker_that_is_given_the_lane_and_no_standby() -> None:
    member = member_of(Collector(), ("in", "gone"))
    member.keep(given=False)
    member.refuse_absent(["in"])
    member.keep(given=True)
    member.refuse_absent(["in", "gone"])
    with pytest.raises(Stop, match="no topic gone") as stopped:
        member.refuse_absent(["in"])
    assert stopped.value.reason is Reason.TOPIC_UNKNOWN


class Slow(Collector):
    """A lane that has a long journal to fold."""

    async def recover(self, still_given: Callable[[], bool]) -> bool:
        await super().recover(still_given)
        await asyncio.sleep(0)
        self.followed = False
        return still_given()


def test_a_lane_given_to_another_worker_before_it_is_claimed_is_stood_by_for() -> None:
    async def scenario() -> None:
        lane = Slow()
        member = member_of(lane)
        owning = asyncio.create_task(member.own(given=True))
        await asyncio.sleep(0)
        member.keep(given=False)
        await owning
        await asyncio.sleep(0)
        assert (member.active, lane.followed) == (False, True)
        await member.own(given=True)
        assert (member.active, lane.recovered) == (True, 2)
        await member.close()

    asyncio.run(scenario())


class Ended(Collector):
    """A lane whose task ends: cancelled by something below it, or without a word."""

    def __init__(self, *, cancelled: bool) -> None:
        super().__init__()
        self._cancelled = cancelled

    async def run(self) -> None:
        if self._cancelled:
            raise asyncio.CancelledError


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_lane_that_ended_by_itself_is_a_failure(cancelled: bool) -> None:
    async def go() -> None:
        member = await active(Ended(cancelled=cancelled))
        async with asyncio.timeout(5):
            await member.failure()

    with pytest.raises(Stop) as stopped:
        asyncio.run(go())
    assert stopped.value.reason is Reason.LANE_ENDED


def test_a_lane_that_was_closed_is_no_failure() -> None:
    async def go() -> None:
        member = await active(Collector())
        watching = asyncio.create_task(member.failure())
        await asyncio.sleep(0)
        await member.close()
        await asyncio.wait([watching], timeout=0.5)
        assert not watching.done()
        watching.cancel()

    asyncio.run(go())
