"""Payments by a schedule that waits for nobody: what is late is late from the instant it was due, not from when it could be sent.

A client that waits for an answer before it sends again slows down with the system it measures, and hides the worst of it
(coordinated omission). Here every payment has a due time beforehand, and latency counts from it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np

from assay.app.bench.bus import BenchBus
from assay.app.bench.contestants import Pairs
from assay.app.bench.wire import WirePool
from assay.app.bus.producer import RecordProducer
from assay.codecs.columns import I64
from assay.contracts.api_key import KEY_HEADER
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

FLUSH_S = 60.0
#: a gate that is late must not be given more connections than it takes: it would close some
CONNECTIONS_MAX: Final = 512
#: Each record leaves at once, one request at a time, in order. Not idempotent: that client spins while a request is under way and
#: more records wait, which took a core from the processes that are measured.
_FEEDING: Final = {"linger.ms": 0, "enable.idempotence": False, "max.in.flight.requests.per.connection": 1}


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection in this process: one over all that a bench has imported takes 0.2 s, and nothing is sent meanwhile."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Schedule(threading.Thread):
    """Sends `count` items, item i due at `i / per_s` seconds after the start; `sent` says how many, `due_us` when each was due."""

    def __init__(self, name: str, count: int, per_s: float) -> None:
        super().__init__(name=name, daemon=True)
        self.count, self._per_s = count, per_s
        self._over = threading.Event()
        self._began_us = 0
        self._late_us = np.zeros(count, np.int64)
        self.sent = 0

    def run(self) -> None:
        """Until all are sent or `stop`."""
        with _no_collection():
            self._send()

    @abstractmethod
    def _send(self) -> None:
        """Call `_begin`, then send what `_next` gives."""

    def due_us(self) -> I64:
        """Wall time at which each item sent was due."""
        return self._began_us + (np.arange(self.sent) * 1e6 / self._per_s).astype(np.int64)

    def sent_us(self) -> I64:
        """Wall time at which each item was really sent."""
        return self.due_us() + self._late_us[: self.sent]

    def late_ms(self) -> float:
        """How much the sender itself was late at worst. It is part of every latency."""
        return round(float(self._late_us[: self.sent].max(initial=0)) / 1_000, 3)

    def stop(self) -> int:
        """Send no more; how many were sent."""
        self._over.set()
        self.join(FLUSH_S + 30)
        return self.sent

    def _begin(self) -> None:
        self._began_us, self._began_s = time.time_ns() // 1_000, time.monotonic()

    def _next(self) -> tuple[range, float]:
        """The items that are due, and how long nothing is due after them."""
        now_s = time.monotonic() - self._began_s
        due = range(self.sent, min(self.count, int(now_s * self._per_s) + 1))
        for item in due:
            self._late_us[item] = int((now_s - item / self._per_s) * 1e6)
        self.sent = max(self.sent, due.stop)
        return due, max(0.0, self.sent / self._per_s - now_s)


class Feeder(Schedule):
    """Writes payments to a topic."""

    def __init__(self, bus: BenchBus, name: str, pairs: Pairs, per_s: float) -> None:
        super().__init__("feeder", len(pairs), per_s)
        self._producer = RecordProducer(bus.bootstrap, options=_FEEDING)
        self._topic, self._pairs = name, pairs

    def _send(self) -> None:
        self._begin()
        wait_s = 0.0
        while self.sent < self.count and not self._over.wait(wait_s):
            due, wait_s = self._next()
            for item in due:
                key, value = self._pairs[item]
                if not self._producer.offer(self._topic, key, value, 0):
                    raise Stop(Reason.BENCH_INVALID, f"the producer's queue is full before payment {item}", where=self._topic)
            self._producer.poll(0.0)
        self._producer.flush(FLUSH_S)


class Calls(Schedule):
    """HTTP calls to a gate, each by itself beside those that are still unanswered. `bodies` are JSON."""

    def __init__(self, name: str, url: str, key: str, bodies: Sequence[bytes], per_s: float) -> None:
        super().__init__(name, len(bodies), per_s)
        host, path = url.removeprefix("http://").split("/", 1)
        self._host, self._head = host, f"POST /{path} HTTP/1.1\r\nHost: {host}\r\n{KEY_HEADER}: {key}\r\nContent-Type: application/json\r\n"
        self._bodies = bodies
        self.failure: BaseException | None = None

    def _send(self) -> None:
        try:
            asyncio.run(self._call_all())
        except (Stop, OSError, TimeoutError) as error:
            self.failure = error

    async def _call_all(self) -> None:
        host, _, port = self._host.partition(":")
        pool, calls = WirePool(host, int(port), CONNECTIONS_MAX), list[asyncio.Task[None]]()
        self._begin()
        wait_s = 0.0
        while self.sent < self.count and not self._over.is_set():
            await asyncio.sleep(wait_s)
            due, wait_s = self._next()
            calls += [asyncio.create_task(self._call(pool, item)) for item in due]
        await asyncio.gather(*calls)
        pool.close()

    async def _call(self, pool: WirePool, item: int) -> None:
        body = self._bodies[item]
        answer = await pool.ask(f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        if answer.status != 200:
            raise Stop(Reason.BENCH_INVALID, f"the gate answered {answer.status}: {answer.body.decode(errors='replace')}")
        self._answered(item, answer.body)

    @abstractmethod
    def _answered(self, item: int, body: bytes) -> None:
        """Take the answer to a call."""


class Caller(Calls):
    """Posts batches; `admitted` counts their events."""

    def __init__(self, url: str, key: str, bodies: Sequence[bytes], per_s: float) -> None:
        super().__init__("caller", f"{url}/v1/ingest/batch?results=exceptions", key, bodies, per_s)
        self.admitted = 0

    def _answered(self, item: int, body: bytes) -> None:
        self.admitted += json.loads(body)["counts"].get("ADMIT", 0)


class Asker(Calls):
    """Posts payments to `/v1/decide`, as banks do that wait."""

    def __init__(self, url: str, key: str, bodies: Sequence[bytes], per_s: float) -> None:
        super().__init__("asker", f"{url}/v1/decide", key, bodies, per_s)
        self._answered_us = np.zeros(self.count, np.int64)
        self.answered = 0
        self.fallbacks = 0

    def answered_us(self) -> I64:
        """Wall time at which each answer had arrived; 0 for none."""
        return self._answered_us

    def _answered(self, item: int, body: bytes) -> None:
        self._answered_us[item] = time.time_ns() // 1_000
        self.answered += 1
        self.fallbacks += b'"answered":"FALLBACK"' in body
