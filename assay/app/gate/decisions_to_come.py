"""Decisions as they are written to the bus, for who waits for one. Everything here belongs to one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Final

from assay.app.bus.topic_reader import TopicRecord

_DECISION: Final = ("record_type", b"decision_response")
Batches = AsyncGenerator[list[TopicRecord]]


class _Expected:
    """A decision that somebody waits for."""

    def __init__(self) -> None:
        self.value: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.waiting = 0


class DecisionsToCome:
    """Follows the topic of decisions from the first `begin` on. `batches` gives its records; the first batch is empty (see `TopicTail`)."""

    def __init__(self, batches: Callable[[], Batches]) -> None:
        self._batches = batches
        self._expected: dict[bytes, _Expected] = {}
        self._following: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()

    async def begin(self, within_s: float) -> bool:
        """Follow from now on; whether nothing can be missed any more, waited for up to so long."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow())
        if not self._begun.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._begun.wait(), within_s)
        return self._begun.is_set()

    @contextmanager
    def expected(self, event_id: str) -> Iterator[asyncio.Future[bytes]]:
        """The value of the decision on a payment, once it comes. Two who wait for one payment share it."""
        key = event_id.encode()
        one = self._expected.setdefault(key, _Expected())
        one.waiting += 1
        try:
            yield one.value
        finally:
            one.waiting -= 1
            if not one.waiting:
                del self._expected[key]

    async def close(self) -> None:
        """Follow no more."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])

    async def _follow(self) -> None:
        async with aclosing(self._batches()) as batches:
            async for records in batches:
                self._begun.set()
                self._take(records)

    def _take(self, records: list[TopicRecord]) -> None:
        for record in records:
            one = self._expected.get(record.key or b"")
            if one is not None and record.value is not None and _DECISION in record.headers and not one.value.done():
                one.value.set_result(record.value)
