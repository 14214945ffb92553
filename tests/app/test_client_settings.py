"""What every Kafka client of the product is told: nothing is acknowledged by fewer than all, and nothing given up is read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from assay.app.bus.kafka_journal import JOURNAL_VALUE_BYTES_MAX, KafkaJournal
from assay.app.bus.kafka_outputs import KafkaOutputs
from assay.app.bus.offsets import end_offsets
from assay.app.bus.publisher import KafkaPublisher
from assay.app.gate.publisher import BusPublisher
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic, topics

#: nobody listens there
NOWHERE = "127.0.0.1:1"
JOURNALS = ("FP_JOURNAL_RTDL_V1", "FP_JOURNAL_ACT_V1")
Told = list[dict[str, Any]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Arguments of every aiokafka client that is made, which is made all the same."""
    noted = Told()

    def noting(make: Callable[..., None]) -> Callable[..., None]:
        def made(client: object, *args: Any, **arguments: Any) -> None:
            noted.append(arguments)
            make(client, *args, **arguments)

        return made

    for kind in (AIOKafkaProducer, AIOKafkaConsumer):
        monkeypatch.setattr(f"aiokafka.{kind.__name__}.__init__", noting(kind.__init__))
    return noted


def asked_of(nobody: Awaitable[object]) -> Reason:
    """The refusal of whoever asks a broker that is not there."""

    async def ask() -> None:
        await nobody

    with pytest.raises(Stop) as refused:
        asyncio.run(ask())
    return refused.value.reason


def bytes_max(handle: str) -> int:
    """The largest record batch that a topic takes."""
    return int(topic(handle).config["max.message.bytes"])


def written_by_lanes() -> list[str]:
    """Topics that lanes publish to, journals aside."""
    return [handle for handle in topics() if handle.startswith(("FP_BUS_", "FP_CHANGELOG_"))]


def test_a_journal_record_is_acknowledged_by_all_replicas_once_and_sent_at_once(told: Told) -> None:
    assert asked_of(KafkaJournal(NOWHERE, "t").start()) is Reason.PRODUCE_FAILED
    (given,) = told
    assert (given["acks"], given["enable_idempotence"], given["linger_ms"]) == ("all", True, 0)
    assert given["max_batch_size"] >= JOURNAL_VALUE_BYTES_MAX
    assert JOURNAL_VALUE_BYTES_MAX <= given["max_request_size"] <= min(bytes_max(handle) for handle in JOURNALS)


def test_outputs_are_acknowledged_by_all_replicas_once_in_batches_that_every_topic_takes(told: Told) -> None:
    assert asked_of(KafkaOutputs(NOWHERE, {"FP_BUS_RTDL_V1": "t"}).start()) is Reason.PRODUCE_FAILED
    (given,) = told
    assert (given["acks"], given["enable_idempotence"], given["linger_ms"]) == ("all", True, 0)
    assert 100_000 < given["max_batch_size"] < min(bytes_max(handle) for handle in written_by_lanes())


async def _read_all(journal: KafkaJournal) -> None:
    async for _ in journal.read_all():
        pass


async def _follow(journal: KafkaJournal) -> None:
    async for _ in journal.follow():
        pass


async def _read_between(journal: KafkaJournal) -> None:
    await journal.read_between(0, 1)


@pytest.mark.parametrize("read", [_read_all, _follow, _read_between])
def test_whoever_reads_a_journal_commits_nothing_and_takes_its_largest_record(
    read: Callable[[KafkaJournal], Awaitable[None]], told: Told
) -> None:
    assert asked_of(read(KafkaJournal(NOWHERE, "t"))) is Reason.BROKER_UNREACHABLE
    (given,) = told
    assert given["enable_auto_commit"] is False
    assert given["max_partition_fetch_bytes"] >= JOURNAL_VALUE_BYTES_MAX
    assert 5_000 <= given["request_timeout_ms"] <= 120_000, "a broker that is busy is waited for, one that is gone is not for ever"


def test_where_inputs_end_is_where_committed_records_end(told: Told) -> None:
    """A bootstrap that waits for a record of a transaction that was given up would wait for ever."""
    assert asked_of(end_offsets(NOWHERE, {"t": "FP_BUS_CONTROL_V1"})) is Reason.BROKER_UNREACHABLE
    (given,) = told
    assert (given["isolation_level"], given["enable_auto_commit"]) == ("read_committed", False)


#: what a user's own properties must not weaken
WEAK = {"acks": "0", "enable.idempotence": "false", "bootstrap.servers": "elsewhere:9092", "client.id": "kim"}


def _of_the_gate() -> dict[str, Any]:
    return BusPublisher(NOWHERE, {}, WEAK)._producer._settings


def _of_commands() -> dict[str, Any]:
    return KafkaPublisher(NOWHERE, properties=WEAK)._producer._settings


@pytest.mark.parametrize("made", [_of_the_gate, _of_commands])
def test_what_the_gate_and_commands_publish_is_acknowledged_by_all_replicas_once_whatever_the_users_properties_say(
    made: Callable[[], dict[str, Any]],
) -> None:
    config = made()
    assert (config["acks"], config["enable.idempotence"], config["bootstrap.servers"]) == ("all", True, NOWHERE)
    assert config["client.id"] == "kim"
    assert config["linger.ms"] == 0, "nobody waits for company"
    assert config["delivery.timeout.ms"] >= config.get("request.timeout.ms", 0)
