"""The broker the fixtures start is a real Kafka that keeps its data."""

from __future__ import annotations

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from assay.app.substrate import Server


def test_a_record_produced_is_read_back(kafka: Server, namespace: str) -> None:
    topic = f"{namespace}there_and_back"
    admin = AdminClient({"bootstrap.servers": kafka.address})  # its futures fail once it is collected
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
    producer = Producer({"bootstrap.servers": kafka.address, "acks": "all"})
    producer.produce(topic, b"value", b"key")
    assert producer.flush(10) == 0
    consumer = Consumer({"bootstrap.servers": kafka.address, "group.id": topic})
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(10)
    consumer.close()
    assert message is not None
    assert (message.key(), message.value()) == (b"key", b"value")


def test_topics_are_not_created_by_asking_for_them(kafka: Server, namespace: str) -> None:
    metadata = AdminClient({"bootstrap.servers": kafka.address}).list_topics(f"{namespace}never_created", timeout=10)
    assert metadata.topics[f"{namespace}never_created"].error is not None
