"""Kept-alive HTTP connections that cost a bench little: requests are ready bytes, and of an answer only status and body are read."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, NamedTuple

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_LENGTH: Final = b"content-length: "


class WireAnswer(NamedTuple):
    """What came back."""

    status: int
    body: bytes


class _Connection(asyncio.Protocol):
    """One call at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._read = b""
        self.waiting: asyncio.Future[WireAnswer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio asks."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """As asyncio asks: the answer is whole when as many bytes are there as its header says."""
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0])
        if len(body) >= length and self.waiting is not None:
            waiting, self.waiting, self._read = self.waiting, None, b""
            waiting.set_result(WireAnswer(int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio asks."""
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(Stop(Reason.BENCH_INVALID, f"the gate closed a connection under a call: {exc or 'without a word'}"))


class WirePool:
    """At most `limit` connections to one address. A call without a free one waits for it."""

    def __init__(self, host: str, port: int, limit: int) -> None:
        self._host, self._port, self._limit = host, port, limit
        self._idle = deque[_Connection]()
        self._free = asyncio.Semaphore(limit)
        self._all: list[_Connection] = []

    async def ask(self, request: bytes) -> WireAnswer:
        """Send a whole request and wait for its answer. Raises Stop(BENCH_INVALID), OSError."""
        async with self._free:
            one = self._idle.pop() if self._idle else await self._connected()
            assert one.transport is not None
            one.waiting = asyncio.get_running_loop().create_future()
            one.transport.write(request)
            answer = await one.waiting
            self._idle.append(one)
            return answer

    def close(self) -> None:
        """Close all connections."""
        for one in self._all:
            if one.transport is not None:
                one.transport.close()

    async def _connected(self) -> _Connection:
        _, one = await asyncio.get_running_loop().create_connection(_Connection, self._host, self._port)
        self._all.append(one)
        return one
