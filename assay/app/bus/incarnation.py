"""Whether a lane's topics are still those it began with: a journal that was made anew or cut short must not be gone on with.

A lane that finds its journal empty would decide everything again. Two witnesses say that there was more: the id that Kafka
gave each topic, kept in the run's store by the first worker, and the commit of the lane's group, which is never ahead of the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from assay.agents.step import TopicPartition
from assay.app.run.directory import Run
from assay.app.stores.objects import ObjectExists
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

TIMEOUT_S = 30.0


async def committed_of_same_incarnation(
    run: Run, properties: Mapping[str, str], group: str, inputs: Mapping[str, str], journal: str | None
) -> dict[TopicPartition, int]:
    """Offsets that the lane's group has committed of its inputs (real name → handle), once every topic has been found to be the one it was.

    `properties` are librdkafka's (TLS, SASL). Raises Stop(JOURNAL_RECREATED) for the journal (a handle), Stop(INPUT_OFFSET_LOST)
    for an input, Stop(BROKER_UNREACHABLE).
    """
    return await asyncio.to_thread(_committed_of_same_incarnation, run, properties, group, inputs, journal)


def _committed_of_same_incarnation(
    run: Run, properties: Mapping[str, str], group: str, inputs: Mapping[str, str], journal: str | None
) -> dict[TopicPartition, int]:
    admin = AdminClient({"log_level": 0, **properties, "bootstrap.servers": run.bootstrap})
    named = dict(inputs) if journal is None else {**inputs, topic(journal).name(run.namespace): journal}
    try:
        described = admin.describe_topics(TopicCollection(list(named)), request_timeout=TIMEOUT_S)
        ids = {named[name]: str(found.result(TIMEOUT_S).topic_id) for name, found in described.items()}
        answer = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=TIMEOUT_S)[group]
        offsets = answer.result(TIMEOUT_S).topic_partitions
    except (KafkaException, TimeoutError) as error:
        raise Stop(
            Reason.BROKER_UNREACHABLE,
            f"whether the topics of a lane are those it began with cannot be asked: {error}",
            where=run.bootstrap,
            remedy="Nothing was changed; start the worker again once the broker answers.",
        ) from None
    for handle, topic_id in ids.items():
        _refuse_another(run, handle, topic_id, is_journal=handle == journal)
    return {(inputs[at.topic], at.partition): at.offset for at in offsets or () if at.topic in inputs and at.offset >= 0}


def _refuse_another(run: Run, handle: str, topic_id: str, *, is_journal: bool) -> None:
    """Keep a topic's id, or compare it with the one kept."""
    key = f"topics/{handle}"
    try:
        run.store.create(key, topic_id.encode())
    except ObjectExists:
        kept = run.store.read(key).decode()
        if kept != topic_id:
            what = f"the topic has id {topic_id}, the run began with {kept}"
            raise recreated(topic(handle).name(run.namespace), what) if is_journal else _made_anew(run, handle, what) from None


def refuse_cut_short(lane: str, committed: Mapping[TopicPartition, int], position: Mapping[TopicPartition, int]) -> None:
    """Raises Stop(JOURNAL_RECREATED) when the group has committed more of an input than the journal holds."""
    for tp, offset in committed.items():
        if offset > position.get(tp, 0):
            raise recreated(lane, f"{tp[0]}[{tp[1]}] is committed up to {offset}, the journal ends at {position.get(tp, 0)}")


def recreated(where: str, what: str) -> Stop:
    """The journal is not the one the lane wrote."""
    return Stop(
        Reason.JOURNAL_RECREATED,
        f"the journal was made anew or has lost its end: {what}",
        where=where,
        remedy="Restore the journal's topic, or start a new run: going on would decide again what is decided.",
    )


def _made_anew(run: Run, handle: str, what: str) -> Stop:
    return Stop(
        Reason.INPUT_OFFSET_LOST,
        f"an input was made anew: {what}",
        where=topic(handle).name(run.namespace),
        remedy="The journal speaks of records that are gone: restore the topic or start a new run.",
    )
