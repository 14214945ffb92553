"""An aiokafka consumer that belongs to no group and commits nothing, and what it fetches up to an end that is fixed beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from assay.app.bus.client import aiokafka_settings
from assay.app.bus.errors import DENIED, Unreachable, cause_of, user_refused

#: a broker that gives nothing of the records it has for this long is away
SILENCE_MAX_S = 30.0


@asynccontextmanager
async def consuming(
    bootstrap: str, properties: Mapping[str, str] | None, away: Unreachable, where: str, *topics: str, **options: Any
) -> AsyncIterator[AIOKafkaConsumer]:
    """A started consumer. Raises `away(cause, where)` for everything that the broker does not answer in time, Stop(BUS_USER_REFUSED)."""
    settings = aiokafka_settings(bootstrap, properties, **options)
    consumer = AIOKafkaConsumer(*topics, **settings, enable_auto_commit=False, request_timeout_ms=int(SILENCE_MAX_S * 1_000))
    try:
        await consumer.start()
        yield consumer
    except DENIED as error:
        raise user_refused(settings.get("sasl_plain_username", ""), cause_of(error), where) from error
    except (KafkaError, OSError) as error:
        raise away(cause_of(error), where) from error
    finally:
        await _stop(consumer)


async def fetches(consumer: AIOKafkaConsumer, tp: TopicPartition, end: int, away: Unreachable) -> AsyncGenerator[list[Any]]:
    """The records of each fetch, from the consumer's position until the position is at `end`; the last fetch may go beyond it.

    An offset without a record counts as read. Raises `away` when nothing comes for `SILENCE_MAX_S`: the client itself looks
    for a broker that is away without end.
    """
    while (at := await consumer.position(tp)) < end:
        records = (await consumer.getmany(tp, timeout_ms=int(SILENCE_MAX_S * 1_000))).get(tp)
        if records:
            yield list(records)
        elif await consumer.position(tp) == at:
            raise away(f"no record after offset {at} of {end} came within {SILENCE_MAX_S:g} s", f"{tp.topic}[{tp.partition}]")


async def _stop(consumer: AIOKafkaConsumer) -> None:
    # while a fetch waits for a broker that is away, `stop` ends in the cancellation of that fetch and leaves the connections open
    ends: list[object] = await asyncio.gather(consumer.stop(), return_exceptions=True)
    if ends != [None]:
        await consumer._client.close()  # noqa: SLF001 - the next thing that `stop` does
