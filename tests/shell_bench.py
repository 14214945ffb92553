"""Topics and worker processes for the tests of the Faust shell on a real Kafka."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from reasons_met import seen

from assay.app.bus.admin import KafkaAdmin
from assay.app.substrate.ports import free_port
from assay.contracts.consumer_groups import group_of

PROGRAM = Path(__file__).parent / "kafka" / "pass_through_worker.py"
PARTITIONS = 3
#: what the lane of that program raises by itself
PLANTED = ("JOURNAL_UNREADABLE", "INPUT_GAP", "PRODUCE_FAILED")


class Bench:
    """Topics of one test and the workers it started."""

    def __init__(self, bootstrap: str, namespace: str, directory: Path) -> None:
        self.bootstrap, self.namespace, self.directory = bootstrap, namespace, directory
        self.admin = AdminClient({"bootstrap.servers": bootstrap})
        self.inputs, self.output = [f"{namespace}a", f"{namespace}b"], f"{namespace}out"
        outputs = [self.output, f"{self.output}.echo"]
        made = self.admin.create_topics([NewTopic(n, PARTITIONS, 1) for n in self.inputs] + [NewTopic(n, 1, 1) for n in outputs])
        for future in made.values():
            future.result(20)
        self.workers: list[subprocess.Popen[bytes]] = []

    def produce(self, topic: str, first: int, n: int) -> None:
        """n records numbered from `first`, round robin over the partitions; every 100th is a tombstone."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "queue.buffering.max.messages": 1_000_000, "enable.idempotence": True})
        producer.list_topics(topic, timeout=10)  # records queued before the partitions are known may change places
        for i in range(first, first + n):
            producer.produce(topic, None if i % 100 == 0 else b"v%d" % i, b"k", partition=i % PARTITIONS)
        assert producer.flush(30) == 0

    def start(self, **changes: Any) -> tuple[subprocess.Popen[bytes], int]:
        """A worker process and its web port."""
        port = free_port()
        wiring = {
            "bootstrap": self.bootstrap, "namespace": self.namespace, "directory": str(self.directory),
            "inputs": self.inputs, "output": self.output, **changes,
        }  # fmt: skip
        log = (self.directory / f"worker{len(self.workers)}.log").open("wb")
        command = [sys.executable, str(PROGRAM), json.dumps(wiring), "worker", "--web-port", str(port), "-l", "info"]
        worker = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.workers.append(worker)
        return worker, port

    def log(self, number: int) -> str:
        """What a worker printed."""
        return seen((self.directory / f"worker{number}.log").read_text(), PLANTED)

    def copied(self, output: str = "") -> dict[tuple[str, int], list[tuple[int, bytes]]]:
        """All of an output so far, by default of the lane `pass`: (offset, value) per (topic, partition), in output order."""
        place = TopicPartition(output or self.output, 0, 0)
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "none", "enable.auto.commit": False})
        _, end = consumer.get_watermark_offsets(place, timeout=10)
        consumer.assign([place])
        found: dict[tuple[str, int], list[tuple[int, bytes]]] = {}
        read = 0
        while read < end:
            for message in consumer.consume(min(10_000, end - read), 5):
                topic, partition, offset, value = (message.value() or b"").split(b" ", 3)
                found.setdefault((topic.decode().lower(), int(partition)), []).append((int(offset), value))
                read += 1
        consumer.close()
        return found

    def ends(self, *topics: str) -> dict[tuple[str, int], int]:
        """End offsets per partition."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "none"})
        places = [(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        found = {place: consumer.get_watermark_offsets(TopicPartition(*place), timeout=10)[1] for place in places}
        consumer.close()
        return found

    def committed(self, lane: str = "pass") -> dict[tuple[str, int], int]:
        """The committed offsets of a lane's group."""
        return KafkaAdmin(self.bootstrap).committed(self.group(lane), self.inputs)

    def group(self, lane: str = "pass") -> str:
        """The consumer group of a lane."""
        return group_of(self.namespace, "run", lane, 0)

    def lengths(self, output: str = "") -> dict[tuple[str, int], int]:
        """Number of copied rows per partition."""
        return {place: len(rows) for place, rows in self.copied(output).items()}


@contextmanager
def a_bench(bootstrap: str, namespace: str, directory: Path) -> Iterator[Bench]:
    """Topics made, and no worker left at the end."""
    made = Bench(bootstrap, namespace, directory)
    try:
        yield made
    finally:
        for worker in made.workers:
            worker.kill()
            worker.wait()
