"""Fetched records as a chunk, and a consumer that outlives a position being looked up anew."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.structs import TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from mode.utils.locks import Event

from assay.agents.faust_shell.fetching import to_chunk
from assay.agents.faust_shell.transport import CallQueue, LaneConsumer, LaneConsumerThread


@given(st.lists(st.tuples(st.integers(1, 5), st.one_of(st.none(), st.binary(max_size=20))), min_size=1))
def test_a_chunk_holds_offsets_and_values_as_fetched(steps: list[tuple[int, bytes | None]]) -> None:
    offsets = np.cumsum([step for step, _ in steps]).tolist()
    records = [
        SimpleNamespace(offset=offset, value=value, timestamp=1_000 + offset) for offset, (_, value) in zip(offsets, steps, strict=True)
    ]
    chunk = to_chunk(("IN", 3), records)
    assert chunk.tp == ("IN", 3)
    assert chunk.offsets.tolist() == offsets
    assert chunk.values.tolist() == [value for _, value in steps]
    assert chunk.newest_ms == 1_000 + offsets[-1]
    assert [str(part.dtype) for part in (chunk.offsets, chunk.values.starts, chunk.values.lengths)] == ["int64", "int64", "int32"]


@pytest.mark.parametrize(
    ("kind", "assigned", "ends"),
    [
        pytest.param(AIOKafkaConsumerThread, True, AssertionError, id="stock ends by a bare assertion"),
        pytest.param(LaneConsumerThread, True, None, id="ours waits for the position"),
        pytest.param(LaneConsumerThread, False, None, id="ours waits for an assignment"),
    ],
)
def test_a_look_at_a_partition_without_a_position_does_not_end_the_worker(kind: Any, assigned: bool, ends: type[Exception] | None) -> None:
    """As when the broker came back without a partition's records, and the client looks for where they begin."""

    async def look() -> None:
        subscriptions = SubscriptionState(asyncio.get_running_loop())
        if assigned:
            subscriptions.assign_from_user([TopicPartition("in", 0)])
            subscriptions.subscription.assignment.state_value(TopicPartition("in", 0)).timestamp = 1  # it has been fetched
        thread = object.__new__(kind)
        thread._consumer = SimpleNamespace(_fetcher=SimpleNamespace(_subscriptions=subscriptions))
        thread.consumer = SimpleNamespace(app=SimpleNamespace(monitor=object(), topics=SimpleNamespace(acks_enabled_for=None)))
        thread.time_started, thread.tp_fetch_request_timeout_secs = 0.0, 1_000.0
        thread.verify_event_path(1.0, TP("in", 0))

    if ends is None:
        asyncio.run(look())
    else:
        with pytest.raises(ends):
            asyncio.run(look())


def _consumer(*, flow_active: bool) -> LaneConsumer:
    """A consumer that is neither started nor stopped."""
    consumer = object.__new__(LaneConsumer)
    consumer._stopped, consumer._crashed, consumer._loop = Event(), Event(), asyncio.get_running_loop()
    consumer.app = SimpleNamespace(flow_control=SimpleNamespace(is_active=lambda: flow_active))
    return consumer


def test_a_message_that_its_stream_takes_at_once_is_delivered_without_a_task() -> None:
    async def deliver() -> int:
        return len(asyncio.all_tasks())

    async def scene() -> None:
        first = deliver()
        told = await _consumer(flow_active=True).wait_first(first, asyncio.Event().wait())
        assert (told.done, told.results, told.stopped) == ([first], [1], False)

    asyncio.run(scene())


def test_a_message_that_waits_is_given_up_when_the_flow_is_suspended() -> None:
    """Its offset is fetched again: another worker may own the partition by then."""
    given_up: list[bool] = []

    async def deliver() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given_up.append(True)
            raise

    async def scene() -> None:
        suspended = asyncio.Event()
        asyncio.get_running_loop().call_soon(suspended.set)
        await _consumer(flow_active=False).wait_first(deliver(), suspended.wait())

    asyncio.run(scene())
    assert given_up == [True]


def test_a_turn_of_the_loop_lets_others_work_and_a_longer_sleep_ends_when_the_consumer_stops() -> None:
    async def scene() -> None:
        turned: list[int] = []
        consumer = _consumer(flow_active=True)
        asyncio.get_running_loop().call_soon(turned.append, 1)
        await consumer.sleep(0)
        assert turned == [1]
        asyncio.get_running_loop().call_soon(consumer._stopped.set)
        await consumer.sleep(3600)

    asyncio.run(scene())


def test_calls_to_the_thread_of_the_consumer_are_answered_also_by_their_errors_until_it_stops() -> None:
    async def halve(number: int) -> int:
        if number % 2:
            raise ValueError(number)
        return number // 2

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        queue = CallQueue(loop=loop)
        await queue.start()
        promises = [await queue.call(loop.create_future(), halve, number) for number in range(6)]
        told = await asyncio.gather(*promises, return_exceptions=True)
        assert [answer if isinstance(answer, int) else str(answer) for answer in told] == [0, "1", 1, "3", 2, "5"]
        unanswered = await queue.call(loop.create_future(), asyncio.Event().wait)
        await asyncio.sleep(0)
        await asyncio.wait_for(queue.stop(), 20)
        assert unanswered.cancelled() or isinstance(unanswered.exception(), asyncio.CancelledError)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scene())
