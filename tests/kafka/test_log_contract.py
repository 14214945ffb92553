"""The simulator's log behaves as Kafka does: one script of appends, failures and fencing is told the same by both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from log_script import RECORD_BYTES_MAX, appends, fencing, unknown
from model_script import SimulatedLog

from assay.app.bus.kafka_journal import KafkaJournal
from assay.app.bus.kafka_outputs import KafkaOutputs
from assay.app.bus.topics import create_topics
from assay.app.lane.ports import Journal, Outputs
from assay.app.substrate import Server
from assay.contracts.topics import topics


class KafkaLog:
    """A `Log` of the script."""

    def __init__(self, address: str, namespace: str) -> None:
        self._address, self._namespace = address, namespace
        create_topics(address, namespace, 1)
        admin, limit = AdminClient({"bootstrap.servers": address}), {"max.message.bytes": str(RECORD_BYTES_MAX)}
        wanted = [NewTopic(self._name(name), 1, 1, config=limit) for name in ("appends", "unknown")]
        for created in admin.create_topics(wanted).values():
            created.result(20)

    def journal(self, name: str) -> Journal:
        return KafkaJournal(self._address, self._name(name))

    def outputs(self) -> Outputs:
        return KafkaOutputs(self._address, {handle: self._name(handle) for handle in topics()})

    async def lose(self, journal: Journal) -> None:
        """The connections close, as they do when a process is killed."""
        assert isinstance(journal, KafkaJournal)
        producer = journal._producer._producer
        assert producer is not None
        producer._sender.sender_task.cancel()
        await producer.client.close()

    async def read(self, handle: str) -> list[bytes]:
        return [value async for _, value in self.journal(handle).read_all()]

    def _name(self, handle: str) -> str:
        return topics()[handle].name(self._namespace) if handle in topics() else f"{self._namespace}{handle}"


@pytest.mark.parametrize("script", [appends, fencing])
def test_kafka_and_the_model_tell_a_script_the_same(kafka: Server, namespace: str, script: Callable[[Any], Any]) -> None:
    told = asyncio.run(script(KafkaLog(kafka.address, namespace)))
    assert told == SimulatedLog(0).run(script)
    assert told == SimulatedLog(1).run(script)


def test_what_kafka_makes_of_a_writer_that_is_gone_is_one_of_what_the_model_makes(kafka: Server, namespace: str) -> None:
    told = asyncio.run(unknown(KafkaLog(kafka.address, namespace)))
    of_model = [SimulatedLog(seed).run(unknown) for seed in range(20)]
    assert [0, 1, [(0, b"known"), (1, b"after it")]] in of_model
    assert [0, 2, [(0, b"known"), (1, b"unknown"), (2, b"after it")]] in of_model
    assert told in of_model
