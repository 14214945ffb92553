"""What a lane's producer asks of a real broker: few requests, and no news of a record that nobody waits for."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from assay.agents.step import Emission
from assay.app.bus.kafka_journal import KafkaJournal
from assay.app.bus.kafka_outputs import OUTPUT_BATCH_BYTES_MAX, KafkaOutputs
from assay.app.substrate import Server
from assay.codecs.columns import Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

MakeTopic = Callable[..., str]
PARTITIONS = 3


def _rows(each_bytes: int, per_partition: int) -> Emission:
    """Rows that no compression makes small, the same number for each partition."""
    n, random = PARTITIONS * per_partition, np.random.default_rng(1)
    values = [random.bytes(each_bytes) for _ in range(n)]
    return Emission("OUT", (np.arange(n) % PARTITIONS).astype(np.int32), Strings.of([None] * n), Strings.of(values))


def test_the_batches_of_all_partitions_share_a_request(kafka: Server, make_topic: MakeTopic) -> None:
    two_batches_each = _rows(OUTPUT_BATCH_BYTES_MAX * 2 // 3, 2)

    async def scenario(topic: str) -> list[int]:
        """Partitions in each produce request of the second call; the first one learns where the partitions are."""
        outputs, told = KafkaOutputs(kafka.address, {"OUT": topic}), list[int]()
        await outputs.start()
        await outputs.publish([two_batches_each], 1)
        sender = outputs._producer._started()._sender
        stock = sender._send_produce_req

        async def noted(node_id: int, batches: Any) -> Any:
            told.append(len(batches))
            return await stock(node_id, batches)

        sender._send_produce_req = noted
        await outputs.publish([two_batches_each], 1)
        await outputs.close()
        return told

    assert asyncio.run(scenario(make_topic("out", PARTITIONS))) == [PARTITIONS, PARTITIONS]


@pytest.mark.parametrize("what", ["a record", "a batch"])
def test_a_clock_two_hours_ahead_is_named_with_its_remedy(kafka: Server, make_topic: MakeTopic, what: str) -> None:
    """Kafka refuses it; the lane told people to wait for a broker that answered."""
    topic, ahead_ms = make_topic("out", PARTITIONS), time.time_ns() // 1_000_000 + 2 * 3_600_000

    async def scenario() -> None:
        outputs, journal = KafkaOutputs(kafka.address, {"OUT": topic}), KafkaJournal(kafka.address, topic)
        await outputs.start()
        await journal.start()
        try:
            if what == "a record":
                await (await journal.append(b"claim", ahead_ms))
            else:
                await outputs.publish([_rows(10, 2)], ahead_ms)
        finally:
            await outputs.close()
            await journal.close()

    with pytest.raises(Stop, match="NTP") as refused:
        asyncio.run(scenario())
    assert (refused.value.reason, refused.value.where) == (Reason.CLOCK_AHEAD, topic)


def test_a_lane_that_stops_at_one_record_leaves_no_error_of_the_others_behind(kafka: Server, make_topic: MakeTopic) -> None:
    """All three partitions refuse. The first refusal stops the lane; asyncio would report the others as never retrieved."""
    topic, reported = make_topic("small", PARTITIONS, max_message_bytes="2000"), list[Any]()

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["message"]))
        outputs = KafkaOutputs(kafka.address, {"OUT": topic})
        await outputs.start()
        try:
            with pytest.raises(Stop) as stopped:
                await outputs.publish([_rows(3_000, 1)], 1)
            assert stopped.value.reason is Reason.PRODUCE_FAILED
        finally:
            await outputs.close()  # it waits for the records under way
        gc.collect()

    asyncio.run(scenario())
    gc.collect()
    assert reported == []
