"""The topics of the platform on a broker: created as their files say."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from assay.app.bus import admin
from assay.app.bus.admin import KafkaAdmin, TopicShape
from assay.app.bus.errors import unreachable
from assay.app.bus.offsets import ANSWER_MAX_S
from assay.contracts.errors import Stop
from assay.contracts.handles import CONTROL
from assay.contracts.reasons import Reason
from assay.contracts.topics import Topic, topic, topics, topics_of

POLL_S: Final = 0.02
#: settings of a topic that have to be as wanted
SHAPED: Final = ("retention.ms", "cleanup.policy")


def create_topics(
    bootstrap: str,
    namespace: str = "",
    partitions: int | None = None,
    properties: Mapping[str, Any] | None = None,
    retention_ms: Mapping[str, int] | None = None,
    traffic: str = "",
) -> list[str]:
    """Create every topic of a run that is not there, with its configuration; give back the names created.

    `traffic` is that of the generated world which the run streams, empty for none: its topics are made for such a run alone.
    `partitions` overrides the number of the topics that scale, `retention_ms` (by handle, -1 for ever) how long records are kept.
    `properties` are further client properties (TLS, SASL). Raises Stop(TOPIC_MISMATCH) before creating anything when a topic is there
    with other partitions, retention or cleanup, Retry(BROKER_UNREACHABLE) when nothing answers.
    """
    cluster, kept = KafkaAdmin(bootstrap, properties), retention_ms or {}
    wanted = {
        one.name(namespace): _shape(one.name(namespace), one, partitions, kept.get(one.handle)) for one in topics_of(traffic).values()
    }
    present = cluster.partitions()
    _refuse_mismatch(cluster, [shape for name, shape in wanted.items() if name in present], present)
    missing = [name for name in wanted if name not in present]
    created = cluster.create(wanted[name] for name in missing)
    if missing:  # somebody else may have been faster, with another shape
        _refuse_mismatch(cluster, list(wanted.values()), _visible(cluster, set(wanted)))
    return sorted(created)


def claim_namespace(
    bootstrap: str, namespace: str, properties: Mapping[str, Any] | None = None, retention_ms: Mapping[str, int] | None = None
) -> bool:
    """Whether this call was the first to create a topic of the namespace: of several at once, one is. Raises Retry(BROKER_UNREACHABLE)."""
    first = topic(CONTROL)
    shape = _shape(first.name(namespace), first, None, (retention_ms or {}).get(first.handle))
    return bool(KafkaAdmin(bootstrap, properties).create([shape]))


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


def _refuse_mismatch(cluster: KafkaAdmin, wanted: Sequence[TopicShape], present: Mapping[str, int]) -> None:
    """Refuse every topic that differs at once, each with what it has and what is wanted."""
    held = {key: cluster.setting([shape.name for shape in wanted], key) for key in SHAPED}
    differences = [
        f"{shape.name} has {thing} {has}, wanted {asked}"
        for shape in wanted
        for thing, has, asked in (
            ("partitions", present[shape.name], shape.partitions),
            *((key, held[key][shape.name], shape.config[key]) for key in SHAPED),
        )
        if has != asked
    ]
    if differences:
        raise Stop(
            Reason.TOPIC_MISMATCH,
            "; ".join(differences),
            remedy="Delete the topic, take another namespace, or set the partitions or the profile that it was made with.",
        )


def _shape(name: str, found: Topic, partitions: int | None, retention_ms: int | None) -> TopicShape:
    kept = {} if retention_ms is None else {"retention.ms": str(retention_ms)}
    return TopicShape(name, found.partition_count(partitions), found.broker_config() | kept)
