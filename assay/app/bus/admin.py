"""Administration of a Kafka cluster: topics, their settings and offsets, deleted records, offsets of groups."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.cimpl import NewTopic

from assay.app.bus.client import librdkafka_settings
from assay.app.bus.denials import Denials
from assay.app.bus.errors import topic_unknown, unreachable
from assay.contracts.errors import AssayError

T = TypeVar("T")

TIMEOUT_S: Final = 30.0
#: the broker's own default, so that one call serves a laptop and a cluster
BROKER_REPLICATION: Final = -1
#: errors of a topic or group that was just created, or whose broker ended: they pass
BETWEEN_LEADERS: Final = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError._NOENT,  # noqa: SLF001 - the client's own: it found no leader
)
POLL_S: Final = 0.02
#: after so long without an answer, see whether the user is refused
FIRST_LOOK_S: Final = 1.0
EARLIEST: Final = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
LATEST: Final = OffsetSpec.latest()  # type: ignore[no-untyped-call]

#: a filter that every right passes: the stubs do not know that None is any name
ANY_RIGHT: Final = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY  # type: ignore[arg-type]
)  # fmt: skip

#: partition → (first offset, offset after the last)
Bounds = Mapping[int, tuple[int, int]]


class TopicShape(NamedTuple):
    """A topic to create: its real name, its partitions, and its settings where they differ from the broker's."""

    name: str
    partitions: int
    config: Mapping[str, str] = {}


class Right(NamedTuple):
    """A user may do an operation with the topic or group of this name."""

    user: str
    operation: str
    kind: str
    name: str


class KafkaAdmin:
    """One connection for many questions. `properties` are librdkafka's (TLS, SASL).

    Every method raises Stop(BUS_USER_REFUSED) when the cluster does not know the user or denies it the right, and
    Retry(BROKER_UNREACHABLE) when it does not answer within `timeout_s` or refuses for another reason.
    """

    def __init__(self, bootstrap: str, properties: Mapping[str, Any] | None = None, timeout_s: float | None = None) -> None:
        self.bootstrap = bootstrap
        self._timeout_s = TIMEOUT_S if timeout_s is None else timeout_s
        self._denials = Denials(properties)
        own = {"socket.timeout.ms": int(self._timeout_s * 1_000), "error_cb": self._denials.notice}
        self._settings = librdkafka_settings(bootstrap, properties, own)
        self._client = AdminClient(self._settings)

    # -- cluster and topics

    def brokers(self) -> int:
        """How many brokers the cluster says it has."""
        return len(self._metadata().brokers)

    def cluster_id(self) -> str:
        """The id of the cluster."""
        return str(self._result(self._client.describe_cluster(request_timeout=self._timeout_s)).cluster_id)

    def partitions(self) -> dict[str, int]:
        """Partitions of every topic, by its real name."""
        return {name: len(found.partitions) for name, found in self._metadata().topics.items()}

    def topic_ids(self, names: Iterable[str]) -> dict[str, str]:
        """The id that Kafka gave each of these topics when it was created."""
        described = self._client.describe_topics(TopicCollection(list(names)), request_timeout=self._timeout_s)
        return {name: str(self._result(found).topic_id) for name, found in described.items()}

    def create(self, wanted: Iterable[TopicShape]) -> list[str]:
        """Create topics; the names created, without those that were there already."""
        new = [
            NewTopic(one.name, num_partitions=one.partitions, replication_factor=BROKER_REPLICATION, config=dict(one.config))
            for one in wanted
        ]
        created = []
        for name, future in (self._client.create_topics(new) if new else {}).items():
            try:
                future.result(self._timeout_s)
                created.append(name)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise self._refusal(error.args[0]) from None
        return created

    def delete(self, names: Iterable[str]) -> None:
        """Delete topics."""
        listed = list(names)
        for future in (self._client.delete_topics(listed) if listed else {}).values():
            self._result(future)

    def setting(self, names: Iterable[str], key: str) -> dict[str, str]:
        """One setting of each of these topics, by name."""
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        described = self._client.describe_configs(resources) if resources else {}
        return {resource.name: str(self._result(future)[key].value) for resource, future in described.items()}

    def set(self, name: str, key: str, value: str) -> None:
        """Change one setting of a topic."""
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
        for future in self._client.incremental_alter_configs([resource]).values():
            self._result(future)

    # -- rights

    def rights(self, users: Collection[str]) -> frozenset[Right]:
        """What the broker allows these users beside what everybody may."""
        found = self._result(self._client.describe_acls(ANY_RIGHT, request_timeout=self._timeout_s))
        rights = (Right(one.principal.removeprefix("User:"), one.operation.name, one.restype.name, one.name) for one in found)
        return frozenset(right for right in rights if right.user in users)

    def give(self, rights: Collection[Right]) -> None:
        """Allow what was not allowed."""
        given = [_binding(right) for right in rights]
        for future in self._client.create_acls(given, request_timeout=self._timeout_s).values() if given else ():
            self._result(future)

    def set_rights(self, users: Collection[str], wanted: Collection[Right]) -> None:
        """Allow these users what is wanted, and take from them what else they were allowed; return when the broker goes by it."""
        held = self.rights(users)
        self.give([right for right in wanted if right not in held])
        taken = [_filter(right) for right in held if right not in wanted]
        for future in self._client.delete_acls(taken, request_timeout=self._timeout_s).values() if taken else ():
            self._result(future)
        deadline = time.monotonic() + self._timeout_s
        while self.rights(users) != frozenset(wanted):  # the controller has them, the broker hears of them a little later
            if time.monotonic() > deadline:
                raise unreachable(f"rights given are not there after {self._timeout_s:g} s", self.bootstrap)
            time.sleep(POLL_S)

    # -- offsets

    def bounds(self, name: str) -> Bounds:
        """The offsets that every partition of a topic holds; a transaction that is not ended ends them.

        Raises Stop(TOPIC_UNKNOWN) for a topic that the broker does not have.
        """
        found = self._metadata(name).topics[name]
        if found.error is not None and found.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise self._refusal(found.error, f"{name} on {self.bootstrap}")
        if not found.partitions:
            raise topic_unknown(f"the broker has no topic {name}", self.bootstrap)
        first, end = (self._patiently(partial(self._listed, name, found.partitions, spec)) for spec in (EARLIEST, LATEST))
        return {number: (first[number], end[number]) for number in sorted(found.partitions)}

    def end(self, name: str, partition: int) -> int:
        """The offset after the last record of one partition. It is one question, so it may be asked often."""
        try:
            return self._listed(name, (partition,), LATEST)[partition]
        except KafkaException as error:
            raise self._refusal(error.args[0]) from None

    def _listed(self, name: str, partitions: Iterable[int], spec: OffsetSpec) -> dict[int, int]:
        asked = {TopicPartition(name, number): spec for number in partitions}
        answers = self._client.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=self._timeout_s)
        return {at.partition: int(future.result(self._timeout_s).offset) for at, future in answers.items()}

    def delete_records(self, name: str, partition: int, before: int) -> None:
        """Delete the records of a partition before an offset."""
        for future in self._client.delete_records([TopicPartition(name, partition, before)], request_timeout=self._timeout_s).values():
            self._result(future)

    def committed(self, group: str, names: Iterable[str]) -> dict[tuple[str, int], int]:
        """The offsets that a consumer group has committed of these topics, by (real topic name, partition).

        A consumer asks, which does not join the group. The same question by the client of administration ends the process with a
        segmentation fault when the group's coordinator is just moving (librdkafka 2.16, confluent-kafka-javascript issue 374).
        """
        counts = self.partitions()
        asked = [TopicPartition(name, number) for name in names for number in range(counts.get(name, 0))]
        consumer = Consumer({**self._settings, "group.id": group, "enable.auto.commit": False})
        try:
            return self._patiently(lambda: self._committed(consumer, asked))
        finally:
            consumer.close()

    def groups(self, prefix: str) -> list[str]:
        """Names of the consumer groups that begin so."""
        listed = self._result(self._client.list_consumer_groups(request_timeout=self._timeout_s)).valid
        return sorted(one.group_id for one in listed if one.group_id.startswith(prefix))

    def delete_groups(self, names: Iterable[str]) -> list[str]:
        """Delete groups with the offsets that they committed; those that stay, because somebody is a member."""
        asked, busy = list(names), []
        for name, future in (self._client.delete_consumer_groups(asked, request_timeout=self._timeout_s) if asked else {}).items():
            try:
                future.result(self._timeout_s)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.NON_EMPTY_GROUP:
                    busy.append(name)
                elif error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                    raise unreachable(error.args[0].str(), self.bootstrap) from None
            except FutureTimeoutError:
                raise unreachable(f"no answer within {self._timeout_s:g} s", self.bootstrap) from None
        return busy

    def _committed(self, consumer: Consumer, asked: list[TopicPartition]) -> dict[tuple[str, int], int]:
        found = consumer.committed(asked, timeout=self._timeout_s) if asked else []
        for at in found:
            if at.error is not None:
                raise KafkaException(at.error)
        return {(at.topic, at.partition): at.offset for at in found if at.offset >= 0}

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Ask again while a partition or group is between two leaders."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                return ask()
            except KafkaException as error:
                if error.args[0].code() not in BETWEEN_LEADERS or time.monotonic() > deadline:
                    raise self._refusal(error.args[0]) from None
            except FutureTimeoutError:
                raise self._refusal() from None
            time.sleep(POLL_S)

    def _metadata(self, name: str | None = None) -> Any:
        """Asked twice where the first answer takes long: a wrong password is told of soon, and the client tries on to the end."""
        began = time.monotonic()
        try:
            return self._asked(name, min(FIRST_LOOK_S, self._timeout_s))
        except KafkaException as error:
            left_s = began + self._timeout_s - time.monotonic()
            if time.monotonic() - began < FIRST_LOOK_S or self._is_denied() or left_s <= 0:
                raise self._refusal(error.args[0]) from None
        try:
            return self._asked(name, left_s)
        except KafkaException as error:
            raise self._refusal(error.args[0]) from None

    def _asked(self, name: str | None, wait_s: float) -> Any:
        return self._client.list_topics(name, timeout=wait_s) if name else self._client.list_topics(timeout=wait_s)

    def _result(self, future: Future[Any]) -> Any:
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                return future.result(min(FIRST_LOOK_S, self._timeout_s))
            except KafkaException as error:
                raise self._refusal(error.args[0]) from None
            except FutureTimeoutError:
                if self._is_denied() or time.monotonic() >= deadline:
                    raise self._refusal() from None

    def _is_denied(self) -> bool:
        """Whether the client has told, beside its errors, of a refusal of its user."""
        self._client.poll(0)
        return self._denials.refusal(self.bootstrap) is not None

    def _refusal(self, error: KafkaError | None = None, where: str = "") -> AssayError:
        """What to raise for an error, or for no answer in time."""
        self._client.poll(0)
        cause = error.str() if error else f"no answer within {self._timeout_s:g} s"
        return self._denials.refusal(where or self.bootstrap, error) or unreachable(cause, self.bootstrap)


def _binding(right: Right) -> AclBinding:
    kind, operation = ResourceType[right.kind], AclOperation[right.operation]
    return AclBinding(kind, right.name, ResourcePatternType.LITERAL, f"User:{right.user}", "*", operation, AclPermissionType.ALLOW)


def _filter(right: Right) -> AclBindingFilter:
    kind, operation = ResourceType[right.kind], AclOperation[right.operation]
    return AclBindingFilter(kind, right.name, ResourcePatternType.LITERAL, f"User:{right.user}", "*", operation, AclPermissionType.ALLOW)
