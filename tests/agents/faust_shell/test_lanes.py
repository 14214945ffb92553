"""What reaches a lane, from where fetching goes on, and what is committed: laws that need no Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.agents.faust_shell.lanes import FetchedChunk, Lanes, ShellLane
from assay.agents.step import Chunk, TopicPartition
from assay.codecs.columns import Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

PLACE: TopicPartition = ("IN", 0)


class Collector:
    """A lane that keeps what it is fed."""

    def __init__(self, position: dict[TopicPartition, int] | None = None, room: int = 1_000_000) -> None:
        self.machine = self
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

    def position(self) -> dict[TopicPartition, int]:
        return dict(self._position)

    def committable(self) -> dict[TopicPartition, int]:
        return {PLACE: self.offsets[-1] + 1} if self.offsets else {}

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.recovered = -1

    def table(self, name: str) -> Collector | None:
        return self if name == "known" else None

    def row(self, key: str) -> dict[str, str]:
        return {"lane": "collector"}


def a_run(begins: int, offsets: list[int]) -> FetchedChunk:
    return FetchedChunk(begins, Chunk("IN", 0, np.array(offsets, np.int64), Strings.of([b"v%d" % o for o in offsets])))


async def owned(*lanes: Collector) -> Lanes:
    """These lanes, all reading topic `in`, taken over."""
    made = Lanes([ShellLane(f"lane{i}", {"in": "IN"}, lane) for i, lane in enumerate(lanes)])
    await made.own(made.specs)
    return made


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), min_size=1, max_size=12), st.integers(0, 40))
def test_any_redelivery_feeds_each_row_once_and_in_order(fetches: list[tuple[int, int]], position: int) -> None:
    async def scenario() -> None:
        lane = Collector({PLACE: position})
        lanes = await owned(lane)
        cursor = position
        for begins, n in fetches:
            start = min(begins, cursor)
            lanes.feed("lane0", a_run(start, list(range(start, start + n))))
            cursor = max(cursor, start + n)
        assert lane.offsets == list(range(position, cursor))
        assert lane.values == [b"v%d" % offset for offset in lane.offsets]
        assert lanes.cursor(PLACE, 0) == cursor
        await lanes.close()

    asyncio.run(scenario())


def test_offsets_without_a_record_are_passed_over() -> None:
    async def scenario() -> None:
        lane = Collector()
        lanes = await owned(lane)
        lanes.feed("lane0", a_run(0, [0, 1, 3]))
        lanes.feed("lane0", a_run(4, [6, 7]))
        assert lane.offsets == [0, 1, 3, 6, 7]
        await lanes.close()

    asyncio.run(scenario())


def test_rows_that_never_came_stop_the_lane() -> None:
    async def scenario() -> None:
        lanes = await owned(Collector({PLACE: 5}))
        try:
            lanes.feed("lane0", a_run(6, [6, 7]))
        finally:
            await lanes.close()

    with pytest.raises(Stop) as stopped:
        asyncio.run(scenario())
    assert stopped.value.reason is Reason.INPUT_GAP


def test_rows_of_a_lane_that_was_dealt_away_since_they_were_fetched_end_the_worker_by_name() -> None:
    async def scenario() -> None:
        lanes = await owned(Collector({PLACE: 5}))
        try:
            lanes.feed("another", a_run(5, [5, 6]))
        finally:
            await lanes.close()

    with pytest.raises(Stop) as stopped:
        asyncio.run(scenario())
    assert stopped.value.reason is Reason.LANE_TAKEN_OVER


def test_fetching_goes_on_from_the_slowest_reader_and_commits_no_further() -> None:
    async def scenario() -> None:
        ahead, behind = Collector({PLACE: 7}), Collector({PLACE: 3})
        lanes = await owned(ahead, behind)
        assert lanes.cursor(PLACE, 0) == 3
        for name in lanes.specs:
            lanes.feed(name, a_run(3, [3, 4, 5, 6, 7, 8]))
        assert (ahead.offsets, behind.offsets) == ([7, 8], [3, 4, 5, 6, 7, 8])
        behind.offsets.pop()
        assert lanes.committable() == {PLACE: 8}
        await lanes.close()

    asyncio.run(scenario())


def test_a_reader_without_a_position_starts_at_the_beginning_and_holds_back_the_commit() -> None:
    async def scenario() -> None:
        lanes = await owned(Collector({PLACE: 7}), Collector())
        assert lanes.cursor(PLACE, 2) == 2
        lanes.feed("lane0", a_run(7, [7]))
        assert lanes.committable() == {}
        await lanes.close()

    asyncio.run(scenario())


def test_a_partition_is_wanted_when_every_owned_reader_has_room() -> None:
    async def scenario() -> None:
        full, empty = Collector(room=1), Collector()
        lanes = Lanes([ShellLane("full", {"in": "IN"}, full), ShellLane("empty", {"in": "IN"}, empty)])
        assert not lanes.wants(PLACE)
        await lanes.own(["full", "empty"])
        assert lanes.wants(PLACE)
        lanes.feed("full", a_run(0, [0]))
        assert not lanes.wants(PLACE)
        assert not lanes.wants(("ELSE", 0))
        await lanes.close()

    asyncio.run(scenario())


def test_a_lane_recovers_once_and_only_where_it_is_owned() -> None:
    async def scenario() -> None:
        first, second = Collector(), Collector()
        lanes = Lanes([ShellLane("first", {"in": "IN"}, first), ShellLane("second", {"in": "IN"}, second)])
        await lanes.own(["first"])
        await lanes.own(["first"])
        assert (first.recovered, second.recovered, lanes.owned) == (1, 0, ["first"])
        await asyncio.sleep(0)
        assert (first.followed, second.followed) == (False, True), "what another worker owns is stood by for"
        await lanes.own(["first", "second"])
        assert (first.recovered, second.recovered, lanes.owned) == (1, 1, ["first", "second"])
        await lanes.close()
        assert (first.recovered, second.recovered) == (-1, -1)

    asyncio.run(scenario())


def test_a_lane_given_to_another_worker_stops_this_one() -> None:
    async def scenario() -> None:
        lanes = await owned(Collector())
        try:
            lanes.keep([])
        finally:
            await lanes.close()

    with pytest.raises(Stop) as stopped:
        asyncio.run(scenario())
    assert stopped.value.reason is Reason.LANE_TAKEN_OVER


def test_a_topic_that_is_gone_ends_the_worker_that_is_given_a_lane_of_it_and_no_standby() -> None:
    lanes = Lanes([ShellLane("one", {"in": "IN", "gone": "GONE"}, Collector()), ShellLane("another", {"in": "IN"}, Collector())])
    lanes.keep(["another"])
    lanes.refuse_absent(["in"])
    lanes.keep(["one"])
    lanes.refuse_absent(["in", "gone"])
    with pytest.raises(Stop, match="no topic gone") as stopped:
        lanes.refuse_absent(["in"])
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
        lanes = Lanes([ShellLane("lane", {"in": "IN"}, lane)])
        owning = asyncio.create_task(lanes.own(["lane"]))
        await asyncio.sleep(0)
        lanes.keep([])
        await owning
        await asyncio.sleep(0)
        assert (lanes.owned, lane.followed) == ([], True)
        await lanes.own(["lane"])
        assert (lanes.owned, lane.recovered) == (["lane"], 2)
        await lanes.close()

    asyncio.run(scenario())


class Cancelled(Collector):
    """A lane whose task is cancelled by something below it."""

    async def run(self) -> None:
        raise asyncio.CancelledError


def test_a_lane_that_was_cancelled_is_a_failure_and_one_that_was_closed_is_not() -> None:
    async def go() -> None:
        lanes = await owned(Cancelled())
        with pytest.raises(Stop) as stopped:
            async with asyncio.timeout(5):
                await lanes.failure()
        assert stopped.value.reason is Reason.LANE_ENDED
        closed = await owned(Collector())
        watching = asyncio.create_task(closed.failure())
        await asyncio.sleep(0)
        await closed.close()
        await asyncio.wait([watching], timeout=0.5)
        assert not watching.done()
        watching.cancel()

    asyncio.run(go())


def test_tables_are_those_of_owned_lanes() -> None:
    async def scenario() -> None:
        lanes = Lanes([ShellLane("lane", {"in": "IN"}, Collector())])
        assert lanes.table("known") is None
        await lanes.own(["lane"])
        known = lanes.table("known")
        assert known is not None
        assert known.row("x") == {"lane": "collector"}
        assert lanes.table("unknown") is None
        await lanes.close()

    asyncio.run(scenario())
