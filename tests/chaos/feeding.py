"""Payments at a constant rate, whatever happens to who decides them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Producer

from assay.app.bench.workload_w import draw, event_ids, records
from assay.app.bus.users import BusUser, properties_of
from assay.app.run.directory import Run
from assay.codecs.partitioner import partitions_of
from assay.contracts.topics import topic

TRAFFIC = "FP_BUS_TRAFFIC_FRAUD_V1"
PAYMENTS_MAX = 1_000_000
#: every so many payments one comes again, as from a gate that did not hear the broker's answer
AGAIN_EVERY = 50
TICK_S = 0.005
#: longer than any outage here
FLUSH_S = 150


class Feeder(threading.Thread):
    """Writes workload W to a run's traffic topic until it is told to stop.

    `sent` says how many payments were handed to the client, `acknowledged` names those the broker has answered for.
    """

    def __init__(self, run: Run, per_s: int) -> None:
        super().__init__(name="feeder", daemon=True)
        self._run, self.per_s, self._over = run, per_s, threading.Event()
        self._topic = topic(TRAFFIC).name(run.namespace)
        options = {"bootstrap.servers": run.bootstrap, "linger.ms": 1, "enable.idempotence": True, "log_level": 0}
        self._producer = Producer({**properties_of(run, BusUser.GATE), **options})
        self.sent = 0
        self.acknowledged: set[str] = set()

    def run(self) -> None:
        last_s, due, payments = time.monotonic(), 0.0, self._payments()
        while not self._over.wait(TICK_S):
            now_s = time.monotonic()
            due, last_s = due + (now_s - last_s) * self.per_s, now_s
            while self.sent < due and not self._over.is_set():
                self._send(*next(payments))
            self._producer.poll(0)
        self._producer.flush(FLUSH_S)

    def stop(self) -> None:
        """No more payments; returns when the broker has answered for all that were sent."""
        self._over.set()
        if self.is_alive():
            self.join(FLUSH_S + 10)

    def _payments(self) -> Iterator[tuple[str, bytes | None, bytes | None, int]]:
        """(event id, key, value, partition) of each payment."""
        partitions, first = self._run.partitions or 1, 0
        for keys, values in records(draw(PAYMENTS_MAX), self._run.config.pins, self._run.config.run_id):
            names = event_ids(first, first + len(values.lengths))
            first += len(values.lengths)
            yield from zip(names, keys.tolist(), values.tolist(), partitions_of(keys, partitions).tolist(), strict=True)

    def _send(self, name: str, key: bytes | None, value: bytes | None, partition: int) -> None:
        for _ in range(1 + (self.sent % AGAIN_EVERY == 0)):
            self._produce(name, key, value, partition)
        self.sent += 1

    def _produce(self, name: str, key: bytes | None, value: bytes | None, partition: int) -> None:
        def answered(error: Any, message: Any) -> None:
            if error is None:
                self.acknowledged.add(name)

        while True:
            try:
                self._producer.produce(self._topic, value, key, partition, on_delivery=answered)
            except BufferError:
                self._producer.poll(0.05)
            else:
                return
