"""A decision reaches who waits for it, once, however many wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from assay.app.bus.topic_reader import TopicRecord
from assay.app.gate.decisions_to_come import DecisionsToCome

DECISION = (("record_type", b"decision_response"),)
ACTION = (("record_type", b"action_outcome"),)


def record(event_id: str, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...] = DECISION) -> TopicRecord:
    return TopicRecord(0, 0, event_id.encode(), value, 0, headers)


def following(use: Callable[[DecisionsToCome, asyncio.Queue[list[TopicRecord]]], Awaitable[None]]) -> None:
    """Use what follows a topic whose batches are put into a queue."""

    async def main() -> None:
        batches: asyncio.Queue[list[TopicRecord]] = asyncio.Queue()

        async def topic() -> AsyncGenerator[list[TopicRecord]]:
            while True:
                yield await batches.get()

        coming = DecisionsToCome(topic)
        try:
            async with asyncio.timeout(30):
                await use(coming, batches)
        finally:
            await coming.close()

    asyncio.run(main())


def test_it_has_begun_with_the_first_batch_and_not_before() -> None:
    async def use(coming: DecisionsToCome, batches: asyncio.Queue[list[TopicRecord]]) -> None:
        assert not await coming.begin(0.0)
        assert not await coming.begin(0.01)
        await batches.put([])
        assert await coming.begin(30.0)

    following(use)


def test_all_who_wait_for_a_payment_get_its_first_decision_and_no_other_record() -> None:
    async def use(coming: DecisionsToCome, batches: asyncio.Queue[list[TopicRecord]]) -> None:
        await batches.put([])
        await coming.begin(30.0)
        with coming.expected("pay-1") as one, coming.expected("pay-1") as other, coming.expected("pay-2") as none:
            await batches.put([record("pay-3", b"3"), record("pay-1", b"acted", ACTION), record("pay-1", None)])
            await batches.put([record("pay-1", b"decided"), record("pay-1", b"again")])
            assert (await one, await other) == (b"decided", b"decided")
            assert not none.done()

    following(use)


def test_one_who_leaves_takes_nothing_from_another_who_stays() -> None:
    async def use(coming: DecisionsToCome, batches: asyncio.Queue[list[TopicRecord]]) -> None:
        await batches.put([])
        await coming.begin(30.0)
        with coming.expected("pay-1") as stays:
            with coming.expected("pay-1"):
                pass
            await batches.put([record("pay-1", b"decided")])
            assert await stays == b"decided"
        with coming.expected("pay-1") as later:
            assert not later.done(), "nothing is kept when nobody waits"

    following(use)
