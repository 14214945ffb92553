"""The lane's journal and outputs on a real Kafka: acknowledged offsets, whole reads, order, and failures that stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from assay.agents.step import Emission
from assay.app.bus.admin import KafkaAdmin
from assay.app.bus.kafka_journal import JOURNAL_VALUE_BYTES_MAX, KafkaJournal
from assay.app.bus.kafka_outputs import KafkaOutputs
from assay.app.bus.lane_producer import REQUEST_BYTES_MAX
from assay.app.bus.offsets import end_offsets
from assay.app.settings import Settings
from assay.app.substrate import Server, kafka_at
from assay.codecs.columns import Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: as the journal topics have it
LARGE = str(16 * 1024 * 1024)
MakeTopic = Callable[..., str]


async def _whole(journal: KafkaJournal) -> list[tuple[int, bytes]]:
    return [record async for record in journal.read_all()]


def test_a_journal_gives_the_acknowledged_offset_of_each_record_and_reads_back_whole(kafka: Server, make_topic: MakeTopic) -> None:
    values = [bytes([i % 251]) * (1 + i * 37) for i in range(300)]

    async def scenario(topic: str) -> tuple[list[int], list[tuple[int, bytes]]]:
        journal = KafkaJournal(kafka.address, topic)
        assert await _whole(journal) == []
        await journal.start()
        offsets = await asyncio.gather(*[await journal.append(value, 1_700_000_000_000) for value in values])
        await journal.close()
        return list(offsets), await _whole(journal)

    offsets, read = asyncio.run(scenario(make_topic("journal", max_message_bytes=LARGE)))
    assert offsets == list(range(300))
    assert read == list(enumerate(values))


def test_a_journal_takes_records_of_sixteen_megabytes(kafka: Server, make_topic: MakeTopic) -> None:
    value = np.random.default_rng(1).bytes(JOURNAL_VALUE_BYTES_MAX)

    async def scenario(topic: str) -> list[tuple[int, bytes]]:
        journal = KafkaJournal(kafka.address, topic)
        await journal.start()
        await (await journal.append(value, 1))
        await (await journal.append(b"next", 1))
        await journal.close()
        return await _whole(journal)

    read = asyncio.run(scenario(make_topic("journal", max_message_bytes=LARGE)))
    assert read == [(0, value), (1, b"next")]


async def _reads_on(journal: KafkaJournal) -> None:
    """As a standby does."""
    async with asyncio.timeout(20), aclosing(journal.follow()) as following:
        async for _ in following:
            pass


async def _three(journal: KafkaJournal) -> None:
    await journal.read_between(0, 3)


@pytest.mark.parametrize("read", [_whole, _three, _reads_on])
def test_a_hole_in_a_journal_stops_the_reader(
    kafka: Server, make_topic: MakeTopic, read: Callable[[KafkaJournal], Coroutine[Any, Any, object]]
) -> None:
    topic = make_topic("journal")
    _in_transactions(kafka, topic, [b"a", b"b"])
    with pytest.raises(Stop, match="offset 1 is missing, the next record is 2") as stopped:
        asyncio.run(read(KafkaJournal(kafka.address, topic)))
    assert stopped.value.reason is Reason.JOURNAL_SEQUENCE_GAP


@pytest.mark.parametrize("read", [_whole, lambda journal: journal.read_between(0, 2)])
def test_a_hole_at_the_end_of_a_journal_stops_the_reader(
    kafka: Server, make_topic: MakeTopic, read: Callable[[KafkaJournal], Coroutine[Any, Any, object]]
) -> None:
    topic = make_topic("journal")
    _in_transactions(kafka, topic, [b"a"])
    with pytest.raises(Stop, match="offset 1 is missing, the next record is 2") as stopped:
        asyncio.run(read(KafkaJournal(kafka.address, topic)))
    assert stopped.value.reason is Reason.JOURNAL_SEQUENCE_GAP


def test_records_between_two_offsets_are_those_and_no_others(kafka: Server, make_topic: MakeTopic) -> None:
    topic = make_topic("journal")
    _plain(kafka, topic, [b"%d" % n for n in range(9)])
    assert asyncio.run(KafkaJournal(kafka.address, topic).read_between(3, 6)) == [b"3", b"4", b"5"]


@pytest.mark.parametrize("first", [0, 4])
def test_records_that_were_truncated_are_not_replaced_by_later_ones(kafka: Server, make_topic: MakeTopic, first: int) -> None:
    """A writer asks for the records of others right before its own; a journal truncated meanwhile gives none."""
    topic = make_topic("journal")
    _plain(kafka, topic, [b"%d" % n for n in range(9)])
    KafkaAdmin(kafka.address).delete_records(topic, 0, 5)
    with pytest.raises(Stop, match=f"needed from offset {first} on and holds 5 to 9") as stopped:
        asyncio.run(KafkaJournal(kafka.address, topic).read_between(first, first + 2))
    assert stopped.value.reason is Reason.JOURNAL_OUT_OF_REACH


def test_a_standby_whose_next_record_was_truncated_is_stopped(kafka: Server, make_topic: MakeTopic) -> None:
    """It lags two fetches behind, and each fetch holds at most eighteen of these records."""
    topic = make_topic("journal")
    _plain(kafka, topic, [bytes(900_000)] * 60)
    read: list[int] = []

    async def scenario() -> None:
        async with asyncio.timeout(30), aclosing(KafkaJournal(kafka.address, topic).follow()) as following:
            async for records in following:
                if records and not read:
                    await asyncio.to_thread(KafkaAdmin(kafka.address).delete_records, topic, 0, 60)
                read.extend(offset for offset, _ in records)

    with pytest.raises(Stop, match="and holds 60 to 60") as stopped:
        asyncio.run(scenario())
    assert stopped.value.reason is Reason.JOURNAL_OUT_OF_REACH
    assert read == list(range(len(read)))


def _plain(kafka: Server, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": kafka.address})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(20) == 0


def _in_transactions(kafka: Server, topic: str, values: list[bytes]) -> None:
    """A transaction for each: the marker that ends it takes an offset and holds no record."""
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": topic})
    producer.init_transactions(20)
    for value in values:
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.commit_transaction(20)


def test_the_end_of_an_input_is_after_its_last_record(kafka: Server, make_topic: MakeTopic) -> None:
    names = [make_topic(name) for name in ("plain", "committed", "twice", "emptied", "empty")]
    plain = Producer({"bootstrap.servers": kafka.address})
    for name in (names[0], names[3]):
        plain.produce(name, b"a")
    assert plain.flush(20) == 0
    admin = AdminClient({"bootstrap.servers": kafka.address})
    admin.delete_records([TopicPartition(names[3], 0, 1)])[TopicPartition(names[3], 0)].result(20)
    transactional = Producer({"bootstrap.servers": kafka.address, "transactional.id": names[0]})
    transactional.init_transactions(20)
    for name in (names[1], names[2], names[2]):  # each takes an offset for its record and one for its end
        transactional.begin_transaction()
        transactional.produce(name, b"b")
        transactional.commit_transaction(20)
    found = asyncio.run(end_offsets(kafka.address, {name: name for name in names}))
    assert [found[(name, 0)] for name in names] == [1, 1, 3, 0, 0]


def test_outputs_keep_their_order_in_each_partition_over_many_batches(kafka: Server, make_topic: MakeTopic) -> None:
    n = 60_000
    values = [b"%d-" % i + bytes(40) for i in range(n)]
    partitions = (np.arange(n) * 7 % 3).astype(np.int32)
    emission = Emission("OUT", partitions, Strings.of([b"k%d" % (i % 10) for i in range(n)]), Strings.of(values))

    async def scenario(topic: str) -> list[list[tuple[int, bytes]]]:
        outputs = KafkaOutputs(kafka.address, {"OUT": topic})
        await outputs.start()
        for _ in range(2):
            await outputs.publish([emission], 1_700_000_000_000)
        await outputs.close()
        return [await _whole(KafkaJournal(kafka.address, topic, partition)) for partition in range(3)]

    for partition, read in enumerate(asyncio.run(scenario(make_topic("out", 3)))):
        once = [value for value, at in zip(values, partitions.tolist(), strict=True) if at == partition]
        assert read == list(enumerate(once * 2))


@pytest.mark.parametrize(
    "what", ["journal too large", "journal beyond any request", "output too large", "no such partition", "not started", "no broker"]
)
def test_a_record_not_known_to_be_written_stops_the_lane(kafka: Server, make_topic: MakeTopic, what: str) -> None:
    topic = make_topic("small", max_message_bytes="2000")
    large = Emission("OUT", np.zeros(1, np.int32), Strings.of([None]), Strings.of([np.random.default_rng(1).bytes(3_000)]))
    astray = Emission("OUT", np.full(1, 5, np.int32), Strings.of([None]), Strings.of([b"x"]))

    async def scenario() -> None:
        bootstrap = "127.0.0.1:1" if what == "no broker" else kafka.address
        journal, outputs = KafkaJournal(bootstrap, topic), KafkaOutputs(bootstrap, {"OUT": topic})
        if what != "not started":
            await journal.start()
            await outputs.start()
        try:
            match what:
                case "journal too large" | "not started":
                    await (await journal.append(bytes(3_000), 1))
                case "journal beyond any request":
                    await journal.append(bytes(REQUEST_BYTES_MAX), 1)
                case "output too large":
                    await outputs.publish([large], 1)
                case _:
                    await outputs.publish([astray], 1)
        finally:
            await journal.close()
            await outputs.close()

    with pytest.raises(Stop) as stopped:
        asyncio.run(scenario())
    assert stopped.value.reason is Reason.PRODUCE_FAILED


@pytest.fixture
def mortal(tmp_path: Path, settings: Settings) -> Iterator[Server]:
    """A Kafka that one test may end; the one of the settings belongs to somebody."""
    server = kafka_at(tmp_path / "kafka", settings.model_copy(update={"bus": ""}))
    yield server
    server.stop()


@pytest.mark.tier2
def test_a_journal_whose_broker_goes_away_while_it_is_read_stops_the_reader(mortal: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.app.bus.consumer.SILENCE_MAX_S", 3.0)
    admin = AdminClient({"bootstrap.servers": mortal.address})
    admin.create_topics([NewTopic("journal", 1, 1, config={"max.message.bytes": LARGE})])["journal"].result(20)
    value, count = np.random.default_rng(1).bytes(1_000_000), 60  # a fetch holds sixteen of them

    read: list[int] = []

    async def scenario() -> None:
        journal = KafkaJournal(mortal.address, "journal")
        await journal.start()
        await asyncio.gather(*[await journal.append(value, 1) for _ in range(count)])
        await journal.close()
        async for offset, _ in journal.read_all():
            read.append(offset)
            if offset == 0:
                await asyncio.to_thread(mortal.kill)

    with pytest.raises(Stop, match=r"no record after offset .* of 60.*\(at journal\[0\]\).*Start the worker again") as stopped:
        asyncio.run(scenario())
    assert stopped.value.reason is Reason.BROKER_UNREACHABLE
    assert 0 < len(read) < count


@pytest.mark.tier2
@pytest.mark.parametrize("what", ["journal", "ends of the inputs"])
def test_a_lane_whose_broker_is_not_there_does_not_start(what: str) -> None:
    async def scenario() -> None:
        if what == "journal":
            await _whole(KafkaJournal("127.0.0.1:1", "journal"))
        else:
            await end_offsets("127.0.0.1:1", {"input": "INPUT"})

    with pytest.raises(Stop) as stopped:
        asyncio.run(scenario())
    assert stopped.value.reason is Reason.BROKER_UNREACHABLE
