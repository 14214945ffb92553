"""The one reader of topics: chunks and records say the same, and nothing beyond the bounds is given."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from assay.app.bus.admin import KafkaAdmin, TopicShape
from assay.app.bus.offsets import bounds_of
from assay.app.bus.topic_reader import TopicReader, read_records, read_topic
from assay.app.bus.topics import create_topics
from assay.app.substrate import Server
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic
from assay.testing import until

RTDL = "FP_BUS_RTDL_V1"
#: lately: a broker deletes records that are older than it keeps them
WALL_MS = time.time_ns() // 1_000_000
PARTITIONS, EACH = 3, 200

Record = tuple[int, int, bytes | None]


@pytest.fixture
def filled(kafka: Server, namespace: str) -> str:
    """A namespace whose decision topic holds values and tombstones; partition 1 was truncated, partition 2 has transactions."""
    create_topics(kafka.address, namespace, PARTITIONS)
    name = topic(RTDL).name(namespace)
    plain = Producer({"bootstrap.servers": kafka.address})
    for number in range(EACH):
        for partition in (0, 1):
            plain.produce(name, None if number % 7 == 0 else b"%d" % number, b"k%d" % number, partition, timestamp=WALL_MS + number)
    assert plain.flush(20) == 0
    transactional = Producer({"bootstrap.servers": kafka.address, "transactional.id": namespace})
    transactional.init_transactions(20)
    for number in range(3):
        transactional.begin_transaction()
        transactional.produce(name, b"t%d" % number, b"k", 2)
        assert transactional.flush(20) == 0  # on the broker before it is given up
        if number == 1:
            transactional.abort_transaction(20)
        else:
            transactional.commit_transaction(20)
    KafkaAdmin(kafka.address).delete_records(name, 1, 50)
    return namespace


def as_chunks(kafka: Server, namespace: str, bounds: dict[int, tuple[int, int]] | None = None) -> list[Record]:
    return [
        (chunk.partition, offset, value)
        for chunk in read_topic(kafka.address, RTDL, namespace, bounds=bounds)
        for offset, value in zip(chunk.offsets.tolist(), chunk.values.tolist(), strict=True)
    ]


def as_records(kafka: Server, namespace: str) -> list[Record]:
    return [(one.partition, one.offset, one.value) for one in read_records(kafka.address, RTDL, namespace)]


def test_chunks_and_records_give_every_committed_record_in_order(kafka: Server, filled: str) -> None:
    values = [None if number % 7 == 0 else b"%d" % number for number in range(EACH)]
    wanted: list[Record] = [(0, number, values[number]) for number in range(EACH)]
    wanted += [(1, number, values[number]) for number in range(50, EACH)]
    wanted += [(2, 0, b"t0"), (2, 4, b"t2")]
    assert as_chunks(kafka, filled) == as_records(kafka, filled) == wanted


def test_the_bounds_of_a_topic_are_its_first_offset_and_the_one_after_its_last(kafka: Server, filled: str) -> None:
    assert bounds_of(kafka.address, RTDL, filled) == {0: (0, EACH), 1: (50, EACH), 2: (0, 6)}


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        pytest.param({0: (10, 12)}, [(0, 10), (0, 11)], id="a part of a partition"),
        pytest.param({1: (0, 52)}, [(1, 50), (1, 51)], id="from before the first offset"),
        pytest.param({2: (1, 4)}, [], id="offsets without a record"),
        pytest.param({0: (5, 5)}, [], id="nothing is asked for"),
        pytest.param({}, [], id="no partition is asked for"),
    ],
)
def test_nothing_outside_the_bounds_is_given(
    kafka: Server, filled: str, bounds: dict[int, tuple[int, int]], found: list[tuple[int, int]]
) -> None:
    assert [(partition, offset) for partition, offset, _ in as_chunks(kafka, filled, bounds)] == found
    reader = TopicReader(kafka.address, topic(RTDL).name(filled))
    assert [(one.partition, one.offset) for one in reader.records(bounds)] == found


def test_a_record_has_its_key_and_its_wall_time(kafka: Server, filled: str) -> None:
    (one,) = read_records(kafka.address, RTDL, filled, partition=0, first=8, last=8)
    assert (one.key, one.value, one.wall_ms) == (b"k8", b"8", WALL_MS + 8)


def test_a_reader_that_leaves_early_ends_the_reading(kafka: Server, filled: str) -> None:
    assert [one.offset for one in read_records(kafka.address, RTDL, filled, limit=3)] == [0, 1, 2]


def test_a_topic_that_is_not_there_is_refused(kafka: Server, namespace: str) -> None:
    with pytest.raises(Stop) as refused:
        next(iter(read_topic(kafka.address, RTDL, namespace)))
    assert refused.value.reason is Reason.TOPIC_UNKNOWN


def test_a_broker_that_is_not_there_is_something_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.app.bus.offsets.ANSWER_MAX_S", 1.0)
    with pytest.raises(Retry) as refused:
        next(iter(read_topic("127.0.0.1:1", RTDL, "")))
    assert refused.value.reason is Reason.BROKER_UNREACHABLE


def test_an_administrator_answers_what_it_was_asked(kafka: Server, namespace: str) -> None:
    admin, name = KafkaAdmin(kafka.address), f"{namespace}asked"
    shape = TopicShape(name, 2, {"retention.ms": "-1"})
    assert admin.create([shape]) == [name]
    assert admin.create([shape]) == []
    assert admin.partitions()[name] == 2
    assert admin.setting([name], "retention.ms") == {name: "-1"}
    admin.set(name, "message.timestamp.type", "LogAppendTime")
    assert admin.setting([name], "message.timestamp.type") == {name: "LogAppendTime"}
    assert admin.end(name, 1) == 0
    assert admin.committed(f"{namespace}nobody", [name]) == {}
    assert admin.committed(f"{namespace}nobody", []) == admin.committed(f"{namespace}nobody", [f"{name}.none"]) == {}
    consumer = Consumer({"bootstrap.servers": kafka.address, "group.id": f"{namespace}some", "log_level": 0})
    consumer.commit(offsets=[TopicPartition(name, 0, 0), TopicPartition(name, 1, 7)], asynchronous=False)
    consumer.close()
    assert admin.committed(f"{namespace}some", [name]) == {(name, 0): 0, (name, 1): 7}
    assert len(admin.topic_ids([name])[name]) > 0
    assert admin.brokers() >= 1
    assert admin.cluster_id()
    admin.delete([name])
    until(lambda: name not in admin.partitions())
    refused = until(lambda: _refusal(admin, name))  # its partition is known a moment longer than its name
    assert refused is not None
    assert refused.reason is Reason.BROKER_UNREACHABLE


def _refusal(admin: KafkaAdmin, name: str) -> Retry | None:
    """What an administrator says of a topic's end, if it refuses."""
    try:
        admin.end(name, 0)
    except Retry as refusal:
        return refusal
    return None
