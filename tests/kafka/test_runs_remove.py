"""A run on a Kafka that others use goes with its topics and consumer groups, and nothing of other runs goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from assay_command import assay
from confluent_kafka import Consumer, TopicPartition
from shown_runs import shown_run

from assay.app.bus.topics import create_topics, delete_groups, groups_there, topics_there
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.contracts.consumer_groups import group_of
from assay.contracts.handles import TRAFFIC
from assay.contracts.topics import topic
from assay.testing_substrate import until


def member(run: Run, kafka: Server, lane: str) -> Consumer:
    """A member of the group of a lane, which commits what no worker would."""
    group = group_of(run.namespace, run.platform_run_id, lane, 0)
    return Consumer({"bootstrap.servers": kafka.address, "group.id": group, "enable.auto.commit": False, "session.timeout.ms": 6_000})


def commit(run: Run, kafka: Server, lanes: Sequence[str]) -> None:
    for lane in lanes:
        consumer = member(run, kafka, lane)
        consumer.commit(offsets=[TopicPartition(topic(TRAFFIC).name(run.namespace), 0, 7)], asynchronous=False)
        consumer.close()


@pytest.fixture
def run(tmp_path: Path, kafka: Server, namespace: str) -> Run:
    """A run whose id is its namespace, beside one of which the id begins with the same letters."""
    made = shown_run(tmp_path / "run")
    name = namespace.rstrip(".")
    config = made.config.model_copy(update={"platform_run_id": name})
    found = made.model_copy(update={"config": config, "namespace": f"{name}.", "bootstrap": kafka.address})
    found.save()
    (found.directory / "servers/postgres").mkdir(parents=True)
    create_topics(kafka.address, found.namespace, 1)
    return found


def test_a_run_is_removed_with_its_topics_and_consumer_groups(run: Run, kafka: Server) -> None:
    other = run.model_copy(update={"config": run.config.model_copy(update={"platform_run_id": f"{run.platform_run_id}2"})})
    commit(run, kafka, ["rtdl", "act"])
    commit(other, kafka, ["rtdl"])
    theirs = group_of(other.namespace, other.platform_run_id, "rtdl", 0)
    try:
        ended = assay("runs", "remove", run.directory, "--yes")
        topics = len(topics_there(kafka.address, run.namespace))
        assert (ended.code, topics) == (0, 0), ended.text
        assert "topics and 2 consumer groups" in ended.out
        assert groups_there(kafka.address, run.namespace) == (theirs,)
        assert not run.directory.exists()
    finally:
        delete_groups(kafka.address, [theirs])


def test_a_run_of_which_a_worker_elsewhere_is_a_member_stays(run: Run, kafka: Server) -> None:
    worker = member(run, kafka, "rtdl")
    worker.subscribe([topic(TRAFFIC).name(run.namespace)])
    until(lambda: worker.poll(0.1) is None and worker.assignment())
    refused = assay("runs", "remove", run.directory, "--yes")
    assert refused.code == 75, refused.text
    assert "DIRECTORY_BUSY: a worker is a member of" in refused.err
    assert topics_there(kafka.address, run.namespace), "nothing has gone"
    worker.close()
    assert assay("runs", "remove", run.directory, "--yes").code == 0
