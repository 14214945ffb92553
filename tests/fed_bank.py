"""A run with a real gate that is fed from a topic of a bank's, by the command as a user calls it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from assay_command import assay, environment
from confluent_kafka import Producer
from gate_process import GateProcess, run_in
from reasons_met import seen
from said_ready import say_ready
from topic_records import PAYMENTS


class Bank:
    """A run with its gate, and a topic of the bank's."""

    def __init__(self, folder: Path, kafka: str, dsn: str, namespace: str) -> None:
        made = run_in(folder / "run", kafka, dsn, namespace, ready=False)
        self.run = made.model_copy(update={"config": made.config.model_copy(update={"ordering": "arrival"})})
        self.run.save()
        say_ready(self.run)
        self.gate = GateProcess(self.run)
        self.run = self.run.model_copy(update={"gate_url": self.gate.url})
        self.run.save()
        self.folder, self.kafka = folder, kafka
        self.mapping(PAYMENTS)

    def mapping(self, text: str) -> None:
        """Write the mapping."""
        (self.folder / "mapping.yaml").write_text(text)

    def write(self, topic: str, *values: bytes | None, partition: int = 0) -> None:
        """Write records."""
        producer = Producer({"bootstrap.servers": self.kafka})
        for value in values:
            producer.produce(topic, value, partition=partition)
        assert producer.flush(30) == 0

    def arguments(self, topic: str, *more: str) -> list[str]:
        """Of the command."""
        named = ["--run", str(self.run.directory), "--bootstrap", self.kafka, "--topic", topic]
        return ["connect", "kafka", *named, "--mapping", str(self.folder / "mapping.yaml"), *more]

    def feed(self, topic: str, *more: str) -> tuple[int, str]:
        """Feed up to the end; exit code and what was printed."""
        ended = assay(*self.arguments(topic, "--until-end", *more))
        return ended.code, seen(ended.text)

    def start(self, topic: str, *more: str) -> subprocess.Popen[bytes]:
        """Feed until it is ended."""
        command = [sys.executable, "-m", "assay", *self.arguments(topic, *more)]
        return subprocess.Popen(command, env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
