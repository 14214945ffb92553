"""What a benchmark asks of a broker: topics, input written fast, and how far topics and groups are. Nothing is measured here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from assay.app.substrate import Server
from assay.app.substrate.processes import failure
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

POLL_S = 0.01
_END = KafkaError._PARTITION_EOF  # noqa: SLF001 (the client's name for an error of its own, not the broker's)
_NO_LEADER = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)


class BenchBus:
    """One broker; topics have one partition."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        # clients outlive the broker by moments: their complaints about that are not shown
        self._client: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._admin = AdminClient(self._client)
        self._reader = Consumer({**self._client, "group.id": "assay.bench", "enable.partition.eof": True})

    def create(self, *names: str) -> None:
        """New topics."""
        for done in self._admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
            done.result(30)

    def stamp_by_broker(self, name: str) -> None:
        """From now on a record's time is that of its append, by the broker's clock."""
        entry = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
        for done in self._admin.incremental_alter_configs([resource]).values():
            done.result(30)

    def delete(self, prefix: str) -> None:
        """Drop every topic of a round, so that the next one finds the disk as this one did; some frameworks put a word before it."""
        names = [name for name in self._admin.list_topics(timeout=30).topics if prefix in name]
        for done in self._admin.delete_topics(names).values() if names else ():
            done.result(30)

    def write(self, name: str, pairs: Iterable[tuple[bytes | None, bytes]]) -> int:
        """Append (key, value) pairs; how many. Returns when all are acknowledged."""
        producer = Producer({**self._client, "linger.ms": 20, "batch.size": 1_000_000, "enable.idempotence": True})
        count = 0
        for key, value in pairs:
            count += 1
            self._produce(producer, name, key, value)
        if producer.flush(60):
            raise Stop(Reason.BENCH_INVALID, f"input was not written to {name} within a minute")
        return count

    def end(self, name: str) -> int:
        """The next offset of a topic; 0 while a broker on a busy machine has no leader for it yet."""
        try:
            return int(self._reader.get_watermark_offsets(TopicPartition(name, 0), timeout=30)[1])
        except KafkaException as error:
            if error.args[0].code() not in _NO_LEADER:
                raise
            return 0

    def committed(self, group: str, name: str) -> int:
        """What a group has committed, 0 for nothing."""
        consumer = Consumer({**self._client, "group.id": group})
        try:
            return max(0, consumer.committed([TopicPartition(name, 0)], timeout=30)[0].offset)
        finally:
            consumer.close()

    def read(self, name: str) -> list[bytes]:
        """Every value of a topic, those of committed transactions. Raises Stop(BENCH_INVALID) when records stop coming before its end."""
        return [message.value() or b"" for message in self._messages(name)]

    def times_ms(self, name: str) -> list[int]:
        """The wall time of every record of a topic."""
        return [message.timestamp()[1] for message in self._messages(name)]

    def _messages(self, name: str) -> Iterator[Message]:
        read, ended = 0, False
        self._reader.assign([TopicPartition(name, 0, 0)])
        while not ended:
            messages = self._reader.consume(10_000, timeout=20)
            errors = [error for message in messages if (error := message.error()) is not None]
            ended = any(error.code() == _END for error in errors)
            if not messages or (errors and not ended):
                raise Stop(Reason.BENCH_INVALID, f"{name} gave {read} records and then {errors or 'nothing'}, not its end")
            good = [message for message in messages if message.error() is None]
            read += len(good)
            yield from good
        self._reader.unassign()

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.close()

    @staticmethod
    def _produce(producer: Any, name: str, key: bytes | None, value: bytes) -> None:
        while True:
            try:
                producer.produce(name, value, key, 0)
            except BufferError:
                producer.poll(0.05)
            else:
                return


def wait_until(holds: Callable[[], bool], what: str, process: Server, timeout_s: float) -> None:
    """Poll a condition. Raises Stop(BENCH_INVALID) with the end of the log when it does not come true or the process ends."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if process.log is not None and (not process.alive or time.monotonic() > deadline):
            why = "took too long" if process.alive else "ended"
            raise failure(Reason.BENCH_INVALID, f"{process.name} {why} before it has {what}", process.log)
        time.sleep(POLL_S)
