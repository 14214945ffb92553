"""The topic incarnation check: a lane goes on only with the topics that its run began with.

A lane with an empty journal would decide everything again. Two facts tell that the journal held more before: the id that Kafka
gave each topic, which the first worker keeps in the run's store, and the commit of the group, which is never ahead of the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from assay.agents.journal import recreated
from assay.agents.step import TopicPartition
from assay.app.bus.admin import KafkaAdmin
from assay.app.bus.errors import input_recreated, lane_unreachable
from assay.app.run.directory import Run
from assay.app.stores.objects import ObjectExists
from assay.contracts.errors import Retry
from assay.contracts.topics import topic


async def committed_of_same_incarnation(
    run: Run, properties: Mapping[str, str], group: str, inputs: Mapping[str, str], journal: str | None
) -> dict[TopicPartition, int]:
    """The offsets that the lane's group has committed of these inputs (real name → handle), after the check of every topic.

    `properties` are librdkafka's (TLS, SASL). Raises Stop(JOURNAL_RECREATED) for the journal (a handle), Stop(INPUT_OFFSET_LOST)
    for an input, Stop(BROKER_UNREACHABLE).
    """
    return await asyncio.to_thread(_committed_of_same_incarnation, run, properties, group, inputs, journal)


def _committed_of_same_incarnation(
    run: Run, properties: Mapping[str, str], group: str, inputs: Mapping[str, str], journal: str | None
) -> dict[TopicPartition, int]:
    cluster = KafkaAdmin(run.bootstrap, properties)
    named = dict(inputs) if journal is None else {**inputs, topic(journal).name(run.namespace): journal}
    try:
        ids = {named[name]: found for name, found in cluster.topic_ids(named).items()}
        committed = cluster.committed(group, inputs)
    except Retry as refused:
        raise lane_unreachable(f"the topic ids and committed offsets of the run: {refused.what}", run.bootstrap) from None
    for handle, topic_id in ids.items():
        _refuse_another(run, handle, topic_id, is_journal=handle == journal)
    return {(inputs[name], partition): offset for (name, partition), offset in committed.items()}


def _refuse_another(run: Run, handle: str, topic_id: str, *, is_journal: bool) -> None:
    """Keep a topic's id, or compare it with the one kept."""
    key = f"topics/{handle}"
    try:
        run.store.create(key, topic_id.encode())
    except ObjectExists:
        kept = run.store.read(key).decode()
        if kept != topic_id:
            what = f"the topic has id {topic_id}, the run began with {kept}"
            name = topic(handle).name(run.namespace)
            raise recreated(name, what) if is_journal else input_recreated(what, name) from None
