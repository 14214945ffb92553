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

from assay.agents.faust_shell.fetching import to_chunk
from assay.agents.faust_shell.transport import LaneConsumerThread


@given(st.lists(st.tuples(st.integers(1, 5), st.one_of(st.none(), st.binary(max_size=20))), min_size=1))
def test_a_chunk_holds_offsets_and_values_as_fetched(steps: list[tuple[int, bytes | None]]) -> None:
    offsets = np.cumsum([step for step, _ in steps]).tolist()
    records = [SimpleNamespace(offset=offset, value=value) for offset, (_, value) in zip(offsets, steps, strict=True)]
    chunk = to_chunk(("IN", 3), records)
    assert chunk.tp == ("IN", 3)
    assert chunk.offsets.tolist() == offsets
    assert chunk.values.tolist() == [value for _, value in steps]
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
