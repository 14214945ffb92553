"""What a benchmark asks of a broker: topics, input written fast, and how far topics and groups are. Nothing is measured here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from assay.app.bus.admin import KafkaAdmin, TopicShape
from assay.app.bus.producer import RecordProducer
from assay.app.bus.topic_reader import TopicReader
from assay.app.substrate import Server
from assay.app.substrate.processes import failure
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

POLL_S = 0.01
FULL_POLL_S = 0.05
FLUSH_S = 60.0
#: input is written while nobody is measured: large batches, as fast as the broker takes them
_FAST = {"linger.ms": 20, "batch.size": 1_000_000}


class BenchBus:
    """One broker; topics have one partition."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = KafkaAdmin(bootstrap)

    def create(self, *names: str) -> None:
        """New topics."""
        self._admin.create([TopicShape(name, 1) for name in names])

    def stamp_by_broker(self, name: str) -> None:
        """From now on a record's time is that of its append, by the broker's clock."""
        self._admin.set(name, "message.timestamp.type", "LogAppendTime")

    def delete(self, prefix: str) -> None:
        """Drop every topic of a round, so that the next one finds the disk as this one did; some frameworks put a word before it."""
        self._admin.delete(name for name in self._admin.partitions() if prefix in name)

    def write(self, name: str, pairs: Iterable[tuple[bytes | None, bytes]]) -> int:
        """Append (key, value) pairs; how many. Returns when all are acknowledged."""
        producer, count = RecordProducer(self.bootstrap, options=_FAST), 0
        for key, value in pairs:
            count += 1
            while not producer.offer(name, key, value, 0):
                producer.poll(FULL_POLL_S)
        if producer.flush(FLUSH_S):
            raise Stop(Reason.BENCH_INVALID, f"input was not written to {name} within {FLUSH_S:g} s")
        return count

    def end(self, name: str) -> int:
        """The next offset of a topic; 0 while a broker on a busy machine does not answer or has no leader for it yet."""
        try:
            return self._admin.end(name, 0)
        except Retry:
            return 0

    def committed(self, group: str, name: str) -> int:
        """The next offset that a group has committed, 0 before its first commit."""
        return self._admin.committed(group, [name]).get((name, 0), 0)

    def read(self, name: str) -> list[bytes]:
        """Every value of a topic, those of committed transactions."""
        return [value or b"" for chunk in TopicReader(self.bootstrap, name).chunks() for value in chunk.values.tolist()]

    def times_ms(self, name: str) -> list[int]:
        """The wall time of every record of a topic."""
        return [record.wall_ms for record in TopicReader(self.bootstrap, name).records()]


def wait_until(holds: Callable[[], bool], what: str, process: Server, timeout_s: float) -> None:
    """Poll a condition. Raises Stop(BENCH_INVALID) with the end of the log when it does not come true or the process ends."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if process.log is not None and (not process.alive or time.monotonic() > deadline):
            why = "took too long" if process.alive else "ended"
            raise failure(Reason.BENCH_INVALID, f"{process.name} {why} before it has {what}", process.log)
        time.sleep(POLL_S)
