"""Answers of the admission threads reach the event loop together: one wake-up brings all that are there, not one each."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar

from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

ANSWER_WITHIN_S: Final = 30.0
T = TypeVar("T")
_Reply = tuple[asyncio.Future[Any], Future[Any]]


class Replies:
    """For one event loop. Threads end futures, and coroutines of the loop wait for them."""

    def __init__(self) -> None:
        self._ended = deque[_Reply]()
        self._waking = False

    async def of(self, answer: Future[T], within_s: float = ANSWER_WITHIN_S) -> T:
        """The answer, or what it failed with. Raises Retry(GATE_OVERLOADED) when it takes longer than a client waits.

        What was taken is admitted all the same.
        """
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[T] = loop.create_future()
        answer.add_done_callback(partial(self._ends, loop, reply))
        try:
            async with asyncio.timeout(within_s):
                return await reply
        except TimeoutError:
            what = f"no answer within {within_s:g} s"
            raise Retry(
                Reason.GATE_OVERLOADED, what, remedy="Send the same call again: what was admitted comes back as a duplicate."
            ) from None

    def _ends(self, loop: asyncio.AbstractEventLoop, reply: asyncio.Future[Any], answer: Future[Any]) -> None:
        """Runs in the thread that ends the answer. A loop that was woken already, and has not looked yet, will see this one, too."""
        self._ended.append((reply, answer))
        if not self._waking:
            self._waking = True
            loop.call_soon_threadsafe(self._bring)

    def _bring(self) -> None:
        self._waking = False  # before looking: who ends one from now on wakes the loop again
        while self._ended:
            reply, answer = self._ended.popleft()
            if reply.done():  # whoever waited has gone
                continue
            error = answer.exception()
            if error is None:
                reply.set_result(answer.result())
            else:
                reply.set_exception(error)
