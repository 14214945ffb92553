"""The topics of the platform on a broker: created as their files say."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from assay.app.bus import admin
from assay.app.bus.admin import KafkaAdmin, TopicShape
from assay.app.bus.errors import unreachable
from assay.app.bus.offsets import ANSWER_MAX_S
from assay.contracts.errors import Stop
from assay.contracts.handles import CONTROL
from assay.contracts.reasons import Reason
from assay.contracts.topics import Topic, topic, topics

POLL_S: Final = 0.02


def create_topics(
    bootstrap: str, namespace: str = "", partitions: int | None = None, properties: Mapping[str, Any] | None = None
) -> list[str]:
    """Create every topic that is not there, with its configuration; give back the names created.

    `partitions` overrides the number of the topics that scale. `properties` are further client properties (TLS, SASL).
    Raises Stop(TOPIC_MISMATCH) before creating anything when a topic is there with other partitions or cleanup,
    Retry(BROKER_UNREACHABLE) when nothing answers.
    """
    cluster = KafkaAdmin(bootstrap, properties)
    wanted = {found.name(namespace): found for found in topics().values()}
    present = cluster.partitions()
    _refuse_mismatch(cluster, {name: found for name, found in wanted.items() if name in present}, present, partitions)
    missing = [name for name in wanted if name not in present]
    created = cluster.create(_shape(name, wanted[name], partitions) for name in missing)
    if missing:  # somebody else may have been faster, with another shape
        _refuse_mismatch(cluster, wanted, _visible(cluster, set(wanted)), partitions)
    return sorted(created)


def claim_namespace(bootstrap: str, namespace: str, properties: Mapping[str, Any] | None = None) -> bool:
    """Whether this call was the first to create a topic of the namespace: of several at once, one is. Raises Retry(BROKER_UNREACHABLE)."""
    first = topic(CONTROL)
    return bool(KafkaAdmin(bootstrap, properties).create([_shape(first.name(namespace), first, None)]))


def partitions_of(bootstrap: str, namespace: str, properties: Mapping[str, Any] | None = None) -> dict[str, int]:
    """Partitions of every topic of ours that the broker has, by handle. Raises Retry(BROKER_UNREACHABLE)."""
    present = KafkaAdmin(bootstrap, properties).partitions()
    return {handle: present[found.name(namespace)] for handle, found in topics().items() if found.name(namespace) in present}


def topics_there(bootstrap: str, namespace: str, properties: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Names of the topics of ours that the broker has in a namespace. Raises Retry(BROKER_UNREACHABLE)."""
    present = KafkaAdmin(bootstrap, properties, ANSWER_MAX_S).partitions()
    return tuple(sorted(name for found in topics().values() if (name := found.name(namespace)) in present))


def delete_topics(bootstrap: str, names: Iterable[str], properties: Mapping[str, Any] | None = None) -> None:
    """Delete topics with all they hold. Raises Retry(BROKER_UNREACHABLE)."""
    KafkaAdmin(bootstrap, properties).delete(names)


def groups_there(bootstrap: str, prefix: str, properties: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Names of the consumer groups that begin so. Raises Retry(BROKER_UNREACHABLE)."""
    return tuple(KafkaAdmin(bootstrap, properties, ANSWER_MAX_S).groups(prefix))


def delete_groups(bootstrap: str, names: Iterable[str], properties: Mapping[str, Any] | None = None) -> list[str]:
    """Delete consumer groups; those that stay, because somebody is a member. Raises Retry(BROKER_UNREACHABLE)."""
    return KafkaAdmin(bootstrap, properties).delete_groups(names)


def _visible(cluster: KafkaAdmin, names: set[str]) -> dict[str, int]:
    """Partitions of all topics once these are among them: a broker answers before its own view of a new topic is there."""
    deadline = time.monotonic() + admin.TIMEOUT_S
    while True:
        present = cluster.partitions()
        if names <= set(present):
            return present
        if time.monotonic() > deadline:
            missing = ", ".join(sorted(names - set(present)))
            raise unreachable(f"topics created are not there after {admin.TIMEOUT_S:g} s: {missing}", cluster.bootstrap)
        time.sleep(POLL_S)


def _refuse_mismatch(cluster: KafkaAdmin, there: Mapping[str, Topic], present: Mapping[str, int], partitions: int | None) -> None:
    for name, cleanup in cluster.setting(there, "cleanup.policy").items():
        held, wanted = (present[name], cleanup), (there[name].partition_count(partitions), there[name].cleanup)
        if held != wanted:
            raise Stop(
                Reason.TOPIC_MISMATCH,
                f"{name} has (partitions, cleanup) {held}, wanted {wanted}",
                remedy="Delete the topic, take another namespace, or set the number of partitions in the wiring.",
            )


def _shape(name: str, found: Topic, partitions: int | None) -> TopicShape:
    return TopicShape(name, found.partition_count(partitions), found.broker_config())
