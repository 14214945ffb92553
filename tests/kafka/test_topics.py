"""Topics on a real broker: created as their files say, read back, refused in another shape."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from assay.app.bus.admin import KafkaAdmin
from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics, delete_topics, partitions_of, topics_there
from assay.app.cli import topic as command
from assay.app.profiles.documents import load_profile
from assay.app.profiles.layout import layout_of
from assay.app.substrate import Server
from assay.codecs.single_object import pack
from assay.contracts.errors import Retry, Stop
from assay.contracts.handles import TRAFFIC
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic, topics_of
from assay.testing import until

PINS = Pins("platform_20260101T000000Z", "a" * 32, "b" * 64, "c" * 64, "x", 1)
CONTROL = "FP_BUS_CONTROL_V1"


def publish(bootstrap: str, name: str, values: Sequence[bytes | None]) -> None:
    """Write values to partition 0 and wait for them."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for value in values:
        producer.produce(name, value=value, key=b"k", partition=0)
    assert producer.flush(30) == 0


def test_all_topics_are_created_with_their_configuration_and_once(kafka: Server, namespace: str) -> None:
    """A second call creates nothing; the broker holds what the files say."""
    assert len(create_topics(kafka.address, namespace, 5)) == len(topics_of(""))
    assert create_topics(kafka.address, namespace, 5) == []
    assert partitions_of(kafka.address, namespace) == {handle: found.partition_count(5) for handle, found in topics_of("").items()}
    admin = AdminClient({"bootstrap.servers": kafka.address})
    for found in topics_of("").values():
        resource = ConfigResource(ResourceType.TOPIC, found.name(namespace))
        held = admin.describe_configs([resource])[resource].result(30)
        assert {name: held[name].value for name in found.broker_config()} == found.broker_config()


def test_a_run_that_streams_a_world_has_its_topics_too(kafka: Server, namespace: str) -> None:
    create_topics(kafka.address, namespace)
    created = create_topics(kafka.address, namespace, traffic="baseline")
    assert set(created) == {found.name(namespace) for found in topics_of("baseline").values() if found.only_for}
    assert set(partitions_of(kafka.address, namespace)) == set(topics_of("baseline"))


def test_the_topics_of_a_namespace_are_deleted_and_no_others(kafka: Server, namespace: str) -> None:
    create_topics(kafka.address, namespace)
    create_topics(kafka.address, f"{namespace}more.")
    assert len(topics_there(kafka.address, namespace)) == len(topics_of(""))
    delete_topics(kafka.address, topics_there(kafka.address, namespace))
    until(lambda: not topics_there(kafka.address, namespace), 20)
    assert len(topics_there(kafka.address, f"{namespace}more.")) == len(topics_of(""))


def test_a_topic_in_another_shape_is_refused_before_any_is_created(kafka: Server, namespace: str) -> None:
    """Other partitions, other cleanup."""
    admin = AdminClient({"bootstrap.servers": kafka.address})
    name = topic(CONTROL).name(namespace)
    admin.create_topics([NewTopic(name, num_partitions=2, replication_factor=1)])[name].result(30)
    until(lambda: partitions_of(kafka.address, namespace) == {CONTROL: 2})
    with pytest.raises(Stop) as refused:
        create_topics(kafka.address, namespace)
    assert refused.value.reason is Reason.TOPIC_MISMATCH
    assert name in refused.value.what
    assert partitions_of(kafka.address, namespace) == {CONTROL: 2}


def test_a_topic_with_another_cleanup_is_refused(kafka: Server, namespace: str) -> None:
    """Truth that would be compacted."""
    admin = AdminClient({"bootstrap.servers": kafka.address})
    name = topic(CONTROL).name(namespace)
    admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1, config={"cleanup.policy": "compact"})])[name].result(30)
    until(lambda: partitions_of(kafka.address, namespace) == {CONTROL: 1})
    with pytest.raises(Stop, match="compact") as refused:
        create_topics(kafka.address, namespace)
    assert refused.value.reason is Reason.TOPIC_MISMATCH


DEV_MIN = load_profile("dev_min").policy.topics


def test_the_topics_of_a_profile_have_its_partitions_and_its_retention(kafka: Server, namespace: str) -> None:
    wanted = layout_of(None, DEV_MIN)
    create_topics(kafka.address, namespace, DEV_MIN.traffic.partitions, retention_ms=DEV_MIN.retention_ms())
    cluster = KafkaAdmin(kafka.address)
    names = {handle: found.name(namespace) for handle, found in topics_of("").items()}
    kept, there = cluster.setting(names.values(), "retention.ms"), cluster.partitions()
    assert {handle: (there[name], int(kept[name])) for handle, name in names.items()} == wanted
    assert (wanted[TRAFFIC], wanted[CONTROL]) == ((3, 86_400_000), (1, 259_200_000))
    assert create_topics(kafka.address, namespace, 3, retention_ms=DEV_MIN.retention_ms()) == []


def test_a_topic_of_another_layout_is_refused_with_every_difference(kafka: Server, namespace: str) -> None:
    create_topics(kafka.address, namespace, 2)
    with pytest.raises(Stop) as refused:
        create_topics(kafka.address, namespace, DEV_MIN.traffic.partitions, retention_ms=DEV_MIN.retention_ms())
    assert refused.value.reason is Reason.TOPIC_MISMATCH
    traffic, control = topic(TRAFFIC).name(namespace), topic(CONTROL).name(namespace)
    assert f"{traffic} has partitions 2, wanted 3" in refused.value.what
    assert f"{traffic} has retention.ms 604800000, wanted 86400000" in refused.value.what
    assert f"{control} has retention.ms 2592000000, wanted 259200000" in refused.value.what


def test_a_command_creates_the_topics_of_the_profile_in_force(kafka: Server, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where = ["create", "--bootstrap", kafka.address, "--namespace", namespace]
    monkeypatch.setenv("ASSAY_PROFILE", "local")
    assert command.main(where) == 0
    assert create_topics(kafka.address, namespace, 3, retention_ms=DEV_MIN.retention_ms()) == []
    monkeypatch.setenv("ASSAY_PROFILE", "")
    with pytest.raises(Stop, match="retention"):
        command.main(where)


def test_cat_prints_records_refusals_and_tombstones_one_a_line(kafka: Server, namespace: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever lies on the topic, within the offsets asked for."""
    create_topics(kafka.address, namespace)
    marks = [
        pack("mark", {"pins": PINS.as_avro(), "topic": CONTROL, "partition": 0, "ts_utc": ts, "final": False}) for ts in (0, 1_000_000)
    ]
    publish(kafka.address, topic(CONTROL).name(namespace), [marks[0], b"garbage", None, marks[1]])
    where = ["--bootstrap", kafka.address, "--namespace", namespace]
    assert command.main(["cat", CONTROL, *where, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["offset"], line["key"], line["record"]) for line in lines] == [
        (0, "k", "mark"),
        (1, "k", "refused"),
        (2, "k", "tombstone"),
        (3, "k", "mark"),
    ]
    assert lines[3]["value"]["ts_utc"] == "1970-01-01T00:00:01.000000Z"
    assert command.main(["cat", topic(CONTROL).name(namespace), *where, "--from", "1", "--to", "2", "--limit", "5"]) == 0
    assert [line.split("\t")[::2][0] for line in capsys.readouterr().out.splitlines()] == ["0@1", "0@2"]


def test_a_limit_ends_the_reading(kafka: Server, namespace: str) -> None:
    """Across partitions too."""
    create_topics(kafka.address, namespace)
    publish(kafka.address, topic(CONTROL).name(namespace), [b"1", b"2", b"3"])
    assert [record.value for record in read_records(kafka.address, CONTROL, namespace, limit=2)] == [b"1", b"2"]
    assert list(read_records(kafka.address, CONTROL, namespace, first=3)) == []


@pytest.mark.parametrize(("partition", "create"), [(None, False), (9, True)])
def test_a_topic_or_partition_that_is_not_there_is_refused(kafka: Server, namespace: str, partition: int | None, create: bool) -> None:
    """Not an endless wait."""
    if create:
        create_topics(kafka.address, namespace)
    with pytest.raises(Stop) as refused:
        list(read_records(kafka.address, CONTROL, namespace, partition=partition))
    assert refused.value.reason is Reason.TOPIC_UNKNOWN


def test_a_broker_that_is_not_there_is_something_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed port, with a short patience."""
    monkeypatch.setattr("assay.app.bus.admin.TIMEOUT_S", 1.0)
    with pytest.raises(Retry) as refused:
        create_topics("127.0.0.1:1")
    assert refused.value.reason is Reason.BROKER_UNREACHABLE
