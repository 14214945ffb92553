"""Topics on a broker: create them as their files say, and read any of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from assay.contracts.errors import Retry, Stop
from assay.contracts.handles import CONTROL
from assay.contracts.reasons import Reason
from assay.contracts.topics import Topic, topic, topics

TIMEOUT_S: Final = 30.0
POLL_S: Final = 0.02
#: the broker's own default, so that one call serves a laptop and a cluster
BROKER_REPLICATION: Final = -1


class TopicRecord(NamedTuple):
    """One record as it lies on the broker; `value` None is a tombstone."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def create_topics(
    bootstrap: str, namespace: str = "", partitions: int | None = None, properties: Mapping[str, Any] | None = None
) -> list[str]:
    """Create every topic that is not there, with its configuration; give back the names created.

    `partitions` overrides the number of the topics that scale. `properties` are further client properties (TLS, SASL).
    Raises Stop(TOPIC_MISMATCH) before creating anything when a topic is there with other partitions or cleanup,
    Retry(BROKER_UNREACHABLE) when nothing answers.
    """
    admin = AdminClient(_client(bootstrap, properties))
    wanted = {found.name(namespace): found for found in topics().values()}
    present = _present(admin, bootstrap)
    _refuse_mismatch(admin, {name: found for name, found in wanted.items() if name in present}, present, partitions)
    missing = [name for name in wanted if name not in present]
    created = _create(admin, [_new(name, wanted[name], partitions) for name in missing], bootstrap)
    if missing:  # somebody else may have been faster, with another shape
        _refuse_mismatch(admin, wanted, _visible(admin, bootstrap, set(wanted)), partitions)
    return sorted(created)


def claim_namespace(bootstrap: str, namespace: str, properties: Mapping[str, Any] | None = None) -> bool:
    """Whether this call was the first to create a topic of the namespace: of several at once, one is. Raises Retry(BROKER_UNREACHABLE)."""
    first = topic(CONTROL)
    return bool(_create(AdminClient(_client(bootstrap, properties)), [_new(first.name(namespace), first, None)], bootstrap))


def partitions_of(bootstrap: str, namespace: str, properties: Mapping[str, Any] | None = None) -> dict[str, int]:
    """Partitions of every topic of ours that the broker has, by handle. Raises Retry(BROKER_UNREACHABLE)."""
    present = _present(AdminClient(_client(bootstrap, properties)), bootstrap)
    return {handle: present[found.name(namespace)] for handle, found in topics().items() if found.name(namespace) in present}


def read_topic(
    bootstrap: str,
    namespace: str,
    handle: str,
    *,
    partition: int | None = None,
    first: int = 0,
    last: int | None = None,
    limit: int | None = None,
    properties: Mapping[str, Any] | None = None,
) -> Iterator[TopicRecord]:
    """Records of offsets `first` to `last` (inclusive), partition after partition, up to what was there at the call.

    Raises Stop(TOPIC_UNKNOWN) for a topic or partition the broker does not have, Retry(BROKER_UNREACHABLE).
    """
    name = topic(handle).name(namespace)
    settings = {"group.id": "assay-topic-cat", "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "earliest"}
    consumer = Consumer(_client(bootstrap, properties) | settings)
    try:
        left = limit
        for number in _partitions(consumer, name, partition, bootstrap):
            for record in _read_partition(consumer, name, number, first, last):
                if left == 0:
                    return
                left = None if left is None else left - 1
                yield record
    finally:
        consumer.close()


def _read_partition(consumer: Consumer, name: str, number: int, first: int, last: int | None) -> Iterator[TopicRecord]:
    low, high = consumer.get_watermark_offsets(TopicPartition(name, number), timeout=TIMEOUT_S)
    end = high if last is None else min(high, last + 1)
    start = max(first, low)
    if start >= end:
        return
    consumer.assign([TopicPartition(name, number, start)])
    while True:
        message = consumer.poll(TIMEOUT_S)
        if message is None:
            raise Retry(Reason.BROKER_UNREACHABLE, f"no record of {name}[{number}] came within {TIMEOUT_S:g} s")
        error = message.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's own name of the code
            return
        if error is not None:
            raise Retry(Reason.BROKER_UNREACHABLE, f"{name}[{number}]: {error}")
        at = message.offset()
        assert at is not None
        if at >= end:
            return
        yield TopicRecord(number, at, message.key(), message.value())
        if at == end - 1:
            return


def _partitions(consumer: Consumer, name: str, partition: int | None, bootstrap: str) -> list[int]:
    try:
        found = consumer.list_topics(name, timeout=TIMEOUT_S).topics[name]
    except KafkaException as error:
        raise _unreachable(bootstrap, error) from None
    numbers = sorted(found.partitions) if found.error is None else []
    if not numbers or (partition is not None and partition not in numbers):
        what = f"the broker has no topic {name}" if not numbers else f"{name} has partitions {numbers[0]} to {numbers[-1]}, not {partition}"
        raise Stop(Reason.TOPIC_UNKNOWN, what, where=bootstrap, remedy="Check --namespace, or create the topics with `assay topic create`.")
    return numbers if partition is None else [partition]


def _present(admin: AdminClient, bootstrap: str) -> dict[str, int]:
    try:
        return {name: len(found.partitions) for name, found in admin.list_topics(timeout=TIMEOUT_S).topics.items()}
    except KafkaException as error:
        raise _unreachable(bootstrap, error) from None


def _visible(admin: AdminClient, bootstrap: str, names: set[str]) -> dict[str, int]:
    """Partitions of all topics once these are among them: a broker answers before its own view of a new topic is there."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        present = _present(admin, bootstrap)
        if names <= set(present):
            return present
        if time.monotonic() > deadline:
            what = f"topics created are not there after {TIMEOUT_S:g} s: {', '.join(sorted(names - set(present)))}"
            raise Retry(Reason.BROKER_UNREACHABLE, what, where=bootstrap, remedy="Look at the broker's log.")
        time.sleep(POLL_S)


def _refuse_mismatch(admin: AdminClient, there: Mapping[str, Topic], present: Mapping[str, int], partitions: int | None) -> None:
    configs = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in there]) if there else {}
    for resource, future in configs.items():
        found = there[resource.name]
        cleanup = future.result(TIMEOUT_S)["cleanup.policy"].value
        held = (present[resource.name], cleanup)
        wanted = (found.partition_count(partitions), found.cleanup)
        if held != wanted:
            raise Stop(
                Reason.TOPIC_MISMATCH,
                f"{resource.name} has (partitions, cleanup) {held}, wanted {wanted}",
                remedy="Delete the topic, take another namespace, or set the number of partitions in the wiring.",
            )


def _create(admin: AdminClient, missing: list[NewTopic], bootstrap: str) -> list[str]:
    """The names created; without those that somebody else created meanwhile."""
    created = []
    for name, future in (admin.create_topics(missing) if missing else {}).items():
        try:
            future.result(TIMEOUT_S)
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise _unreachable(bootstrap, error) from None
    return created


def _new(name: str, found: Topic, partitions: int | None) -> NewTopic:
    return NewTopic(
        name, num_partitions=found.partition_count(partitions), replication_factor=BROKER_REPLICATION, config=found.broker_config()
    )


def _client(bootstrap: str, properties: Mapping[str, Any] | None) -> dict[str, Any]:
    """Client properties; the library's own log is off, because every failure is raised here."""
    return {"log_level": 0, **(properties or {}), "bootstrap.servers": bootstrap}


def _unreachable(bootstrap: str, error: KafkaException) -> Retry:
    why, remedy = error.args[0].str(), "Check the address; a run's servers are started again by `assay substrate up --dir RUN`."
    return Retry(Reason.BROKER_UNREACHABLE, f"Kafka does not answer: {why}", where=bootstrap, remedy=remedy)
