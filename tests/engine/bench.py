"""Topics, stock workers and readings of one run of a scenario; everything is asked from outside the worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from assay.app.bus.admin import KafkaAdmin
from assay.app.substrate.ports import free_port
from assay.testing import until

TESTS = Path(__file__).parents[1]


class Seen(NamedTuple):
    """What one run of a scenario came to."""

    shown: bool
    what: str


class StockWorker:
    """One process of a stock app: `python -m engine.stock.<app> worker`."""

    def __init__(self, app: str, log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        command = [sys.executable, "-m", f"engine.stock.{app}", "worker", "-l", "info", "--web-port", str(free_port())]
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=TESTS, env={**os.environ, **environment})

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def said(self, words: str) -> bool:
        """Whether these words are in its log."""
        return words in self.log.read_text(errors="replace")

    def stop(self, deadline_s: float = 60) -> int:
        """SIGTERM, and SIGKILL to one that does not end; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """SIGKILL, as a power cut would."""
        self.process.kill()
        return self.process.wait(30)


class Bench:
    """One run: an app id of its own, its topics and its workers."""

    def __init__(self, bootstrap: str, app_id: str, directory: Path) -> None:
        self.bootstrap, self.app_id, self.directory = bootstrap, app_id, directory
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self.workers: list[StockWorker] = []

    def topic(self, name: str, partitions: int = 1, **config: str) -> str:
        """A new topic of this run; `max_message_bytes=…` and the like go to the broker."""
        full = f"{self.app_id}-{name}"
        settings = {key.replace("_", "."): value for key, value in config.items()}
        self.admin.create_topics([NewTopic(full, partitions, 1, config=settings)])[full].result(20)
        return full

    def start(self, app: str, **environment: str) -> StockWorker:
        """A worker of this run's app."""
        number = len(self.workers)
        names = {"STOCK_BROKER": f"kafka://{self.bootstrap}", "STOCK_ID": self.app_id, "STOCK_DATA": str(self.directory / f"data{number}")}
        self.workers.append(StockWorker(app, self.directory / f"worker{number}.log", {**names, **environment}))
        return self.workers[-1]

    def send(self, topic: str, records: Iterable[tuple[str | None, Any]], partition: int = -1) -> None:
        """(key, value) records; a value that is no bytes goes as JSON."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True, "log_level": 0})
        producer.list_topics(topic, timeout=20)
        for key, value in records:
            raw = value if isinstance(value, bytes) else json.dumps(value).encode()
            producer.produce(topic, raw, key, partition=partition)
            producer.poll(0)
        assert producer.flush(60) == 0

    def read(self, topic: str) -> list[Message]:
        """Everything on a topic so far that no aborted transaction wrote."""
        consumer = Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": "none", "enable.auto.commit": False, "log_level": 0,
            "enable.partition.eof": True, "isolation.level": "read_committed",
        })  # fmt: skip
        places = [TopicPartition(topic, p, 0) for p in consumer.list_topics(topic, timeout=20).topics[topic].partitions]
        consumer.assign(places)
        found, ended = list[Message](), 0
        while ended < len(places):
            for message in consumer.consume(5_000, 1):
                if message.error():
                    ended += 1
                else:
                    found.append(message)
        consumer.close()
        return found

    def values(self, topic: str) -> list[Any]:
        """The JSON values on a topic."""
        return [json.loads(message.value() or b"") for message in self.read(topic)]

    def ends(self, topic: str) -> dict[int, int]:
        """Next offset of every partition."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "none", "log_level": 0})
        partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        found = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20)[1] for p in partitions}
        consumer.close()
        return found

    def committed(self, topic: str) -> dict[int, int]:
        """What the group of the app has committed of a topic."""
        return {partition: offset for (_, partition), offset in KafkaAdmin(self.bootstrap).committed(self.app_id, [topic]).items()}

    def came(self, condition: Callable[[], Any], deadline_s: float) -> bool:
        """Whether a condition became true in time."""
        try:
            return bool(until(condition, deadline_s, every_s=0.1))
        except AssertionError:
            return False

    def expect(self, condition: Callable[[], Any], deadline_s: float = 90) -> None:
        """What the scenario needs before it can begin; its absence is a fault of the scenario, not the trouble."""
        until(condition, deadline_s, every_s=0.1)

    def alter(self, topic: str, **config: str) -> None:
        """Set configurations of a topic: `max_message_bytes=…`."""
        entries = [ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        self.admin.incremental_alter_configs([resource])[resource].result(20)

    def close(self) -> None:
        """End what this run started."""
        for worker in self.workers:
            worker.kill()
