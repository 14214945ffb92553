"""Inputs written in transactions: what was committed is decided, what was given up never is, whatever takes offsets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer
from gated_worlds import config_over, gated, generated_world
from lane_worker import WorkerProcess, named

from assay.app.bus.publisher import OutboundRecord
from assay.app.bus.topics import create_topics
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.codecs.single_object import unpack
from assay.contracts.topics import topic
from assay.testing import until

RTDL, CONTROL = "FP_BUS_RTDL_V1", "FP_BUS_CONTROL_V1"
#: records of a transaction that is committed, payments of one that is given up
IN_TRANSACTION, GIVEN_UP = 40, 20
Records = list[tuple[str, OutboundRecord]]


@pytest.mark.long
@pytest.mark.tier2
def test_of_transactions_what_was_committed_is_decided_and_nothing_else(tmp_path: Path, kafka: Server, namespace: str) -> None:
    """Ends of transactions and records given up take offsets: before a worker starts, under it, and before the one that follows it."""
    world = generated_world(tmp_path / "world", "handbook", 200, 23)
    given = gated(world, config_over(world, "handbook"), partitions=1)
    config = given.config.model_copy(update={"ordering": "arrival"})
    run = Run(directory=tmp_path, config=config, namespace=namespace, bootstrap=kafka.address, dsn="", partitions=1)
    run.save()
    create_topics(kafka.address, namespace, 1)
    payments = [one for one in given.records if is_payment(one)]
    kept = [one for one in given.records if one not in payments[-GIVEN_UP:]]
    given_up = [*payments[-GIVEN_UP:], next(one for one in kept if one[0] == CONTROL)]  # control, too: a lane reads it to its end first
    third = len(kept) // 3
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": namespace, "log_level": 0})
    producer.init_transactions(30)
    wanted = set[str]()

    def write(records: Records) -> None:
        for at in range(0, len(records), IN_TRANSACTION):
            transaction(producer, namespace, given_up, producer.abort_transaction)
            transaction(producer, namespace, records[at : at + IN_TRANSACTION], producer.commit_transaction)
        wanted.update(unpack(one[1].value)[1]["event_id"] for one in records if is_payment(one))

    def decided(worker: WorkerProcess) -> None:
        until(lambda: len(named(run, RTDL, "decision_response")) >= len(wanted) or worker.process.poll() is not None, 90)
        assert set(named(run, RTDL, "decision_response")) == wanted, worker.tail()

    write(kept[:third])
    worker = WorkerProcess(run, pack="rtdl_core")
    try:
        decided(worker)
        write(kept[third : 2 * third])
        decided(worker)
        worker.kill()
        write(kept[2 * third :])
        worker = WorkerProcess(run, pack="rtdl_core")
        decided(worker)
    finally:
        worker.kill()


def is_payment(one: tuple[str, OutboundRecord]) -> bool:
    return one[1].value is not None and unpack(one[1].value)[0] == "payment"


def transaction(producer: Producer, namespace: str, records: Records, end: Callable[[float], None]) -> None:
    """Records in one transaction; all are on the broker before it ends, else what is given up might never have been there."""
    producer.begin_transaction()
    for handle, record in records:
        producer.produce(topic(handle).name(namespace), record.value, record.key, record.partition)
    assert producer.flush(20) == 0
    end(30)
