"""What a lane asks Kafka before it claims: whether its topics are those the run began with, and what its group has committed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from assay.app.bench.lane import bench_config
from assay.app.bus.incarnation import committed_of_same_incarnation
from assay.app.bus.topics import create_topics, partitions_of
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.contracts.consumer_groups import group_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic
from assay.testing import until

TRAFFIC, JOURNAL = "FP_BUS_TRAFFIC_FRAUD_V1", "FP_JOURNAL_RTDL_V1"


@pytest.fixture
def run(kafka: Server, namespace: str, tmp_path: Path) -> Run:
    made = Run(directory=tmp_path, config=bench_config(), namespace=namespace, bootstrap=kafka.address, dsn="", partitions=2)
    create_topics(kafka.address, namespace, 2)
    return made


def asked(run: Run) -> dict[tuple[str, int], int]:
    group = group_of(run.namespace, run.platform_run_id, "rtdl", 0)
    return asyncio.run(committed_of_same_incarnation(run, {}, group, {topic(TRAFFIC).name(run.namespace): TRAFFIC}, JOURNAL))


def make_anew(run: Run, handle: str) -> None:
    name = topic(handle).name(run.namespace)
    admin = AdminClient({"bootstrap.servers": run.bootstrap, "log_level": 0})
    admin.delete_topics([name])[name].result(30)
    until(lambda: handle not in partitions_of(run.bootstrap, run.namespace))
    create_topics(run.bootstrap, run.namespace, 2)


def test_a_group_that_has_committed_nothing_and_one_that_has(run: Run) -> None:
    assert asked(run) == {}
    for lane, offset in (("act", 7), ("rtdl", 0)):
        group = group_of(run.namespace, run.platform_run_id, lane, 0)
        consumer = Consumer({"bootstrap.servers": run.bootstrap, "group.id": group, "log_level": 0})
        consumer.commit(offsets=[TopicPartition(topic(TRAFFIC).name(run.namespace), 1, offset)], asynchronous=False)
        consumer.close()
    assert asked(run) == {(TRAFFIC, 1): 0}, "another lane's group counts for nothing"


@pytest.mark.parametrize(("handle", "reason"), [(JOURNAL, Reason.JOURNAL_RECREATED), (TRAFFIC, Reason.INPUT_OFFSET_LOST)])
def test_a_topic_that_was_made_anew_is_refused_by_its_id(run: Run, handle: str, reason: Reason) -> None:
    asked(run)
    asked(run)
    make_anew(run, handle)
    with pytest.raises(Stop, match="made anew") as refused:
        asked(run)
    assert refused.value.reason is reason
    assert refused.value.where == topic(handle).name(run.namespace)
