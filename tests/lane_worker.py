"""A real worker in a process of its own over topics that are filled, and what a test asks of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from confluent_kafka import TIMESTAMP_CREATE_TIME, Consumer, TopicPartition
from gated_worlds import GatedWorld
from reasons_met import seen
from worker_web import lanes_at

from assay.agents.topology import TOPOLOGY
from assay.app.bus.admin import KafkaAdmin
from assay.app.bus.publisher import KafkaPublisher, OutboundRecord
from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics
from assay.app.bus.users import BusUser, properties_of
from assay.app.run.directory import Run
from assay.app.stores.segment_journal import read_head
from assay.codecs.audit_segment import bodies_of, read_segment
from assay.codecs.journal_record import JournalRecord
from assay.codecs.single_object import unpack
from assay.contracts.consumer_groups import group_of
from assay.contracts.topics import topic, topics_of
from assay.testing import until

DEADLINE_S = 90.0


def filled_run(directory: Path, bootstrap: str, namespace: str, given: GatedWorld) -> Run:
    """A run whose topics hold the given records. It writes into the world's own store."""
    run = Run(directory=directory, config=given.config, namespace=namespace, bootstrap=bootstrap, dsn="", partitions=given.partitions)
    run.save()
    create_topics(bootstrap, namespace, given.partitions)
    publish(run, given.records)
    return run


def publish(run: Run, records: Iterable[tuple[str, OutboundRecord]]) -> None:
    """Write records to their topics, each topic in order."""
    by_topic: dict[str, list[OutboundRecord]] = defaultdict(list)
    for handle, record in records:
        by_topic[handle].append(record)
    publisher = KafkaPublisher(run.bootstrap, run.namespace)
    for handle, lot in by_topic.items():
        publisher.publish(handle, lot)


class WorkerProcess:
    """`assay worker` of one run. Armed with a failpoint it waits there to be killed; with a port it can be asked for its lanes."""

    def __init__(self, run: Run, failpoint: str = "", pack: str = "", port: int = 0) -> None:
        self.run, self._port = run, port
        self.marker = run.directory / "reached"
        self.marker.unlink(missing_ok=True)
        self.log = run.directory / "worker.log"
        armed = {"ASSAY_FAILPOINT": failpoint, "ASSAY_FAILPOINT_FILE": str(self.marker)} if failpoint else {}
        packs = ["--pack", pack] if pack else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "assay", "worker", "--run", str(run.directory), "--web-port", str(port), *packs],
                stdout=log,
                stderr=log,
                env={**os.environ, **armed},
            )

    def lanes(self) -> list[str] | None:
        """The lanes that are active in it; None before its web view answers."""
        return lanes_at(self._port)

    def await_failpoint(self) -> None:
        """Until it waits at its failpoint; a worker that never gets there fails the test."""
        until(self._reached, DEADLINE_S)

    def _reached(self) -> bool:
        assert self.process.poll() is None, f"the worker ended before its failpoint:\n{self.tail()}"
        return self.marker.exists()

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def tail(self) -> str:
        """The end of its log."""
        return seen(self.log.read_text(errors="replace")[-2_000:])


def values(run: Run, handle: str) -> list[bytes]:
    """Every value on a topic."""
    return [record.value or b"" for record in read_records(run.bootstrap, handle, run.namespace, properties_of(run, BusUser.READER))]


def named(run: Run, handle: str, wanted: str) -> dict[str, Counter[bytes]]:
    """Event id → how often each form of its record of a type lies on a topic."""
    found: dict[str, Counter[bytes]] = defaultdict(Counter)
    for value in values(run, handle):
        name, fields = unpack(value)
        if name == wanted:
            found[event_of(fields)][value] += 1
    return found


def event_of(fields: dict[str, Any]) -> str:
    """The event a decision or an outcome is about."""
    source = fields.get("source_event")
    return str(source["event_id"] if source else fields["source_event_id"])


def ends(run: Run, handles: Iterable[str]) -> dict[tuple[str, int], int]:
    """Next offset of every partition."""
    consumer = Consumer({"bootstrap.servers": run.bootstrap, "group.id": "test", "log_level": 0})
    try:
        found = {}
        for handle in handles:
            name = topic(handle).name(run.namespace)
            for number in consumer.list_topics(name, timeout=30).topics[name].partitions:
                found[(handle, number)] = consumer.get_watermark_offsets(TopicPartition(name, number), timeout=30)[1]
        return found
    finally:
        consumer.close()


def record_times_ms(run: Run) -> dict[str, list[int]]:
    """Topic handle → the timestamp that the producer gave to each record of it, transactions and topics without a record left out."""
    settings = {"group.id": "test", "enable.auto.commit": False, "enable.partition.eof": True, "fetch.wait.max.ms": 10, "log_level": 0}
    consumer = Consumer({"bootstrap.servers": run.bootstrap, **settings})
    found: dict[str, list[int]] = defaultdict(list)
    try:
        for (handle, partition), end in ends(run, topics_of(run.config.traffic)).items():
            consumer.assign([TopicPartition(topic(handle).name(run.namespace), partition, 0)])
            while end and (message := consumer.poll(DEADLINE_S)) is not None and message.error() is None:
                kind, time_ms = message.timestamp()
                assert kind == TIMESTAMP_CREATE_TIME, f"{handle}: the broker's time says nothing about its producer"
                found[handle].append(time_ms)
        return found
    finally:
        consumer.close()


def committed(run: Run) -> dict[tuple[str, int], int]:
    """Offset per input partition up to which every lane that reads it has committed; none where one has not."""
    of_lane = {lane.name: committed_of(run, lane.name) for lane in TOPOLOGY.lanes}
    places = {place for offsets in of_lane.values() for place in offsets}
    readers = {place: [of_lane[lane.name] for lane in TOPOLOGY.lanes if place[0] in lane.ranks] for place in places}
    return {place: min(of[place] for of in read) for place, read in readers.items() if all(place in of for of in read)}


def committed_of(run: Run, lane: str) -> dict[tuple[str, int], int]:
    """The committed offsets of a lane's group."""
    handles = {topic(handle).name(run.namespace): handle for handle in TOPOLOGY.lane(lane).inputs}
    offsets = KafkaAdmin(run.bootstrap, properties_of(run, BusUser.WORKER)).committed(
        group_of(run.namespace, run.platform_run_id, lane, 0), handles
    )
    return {(handles[name], partition): offset for (name, partition), offset in offsets.items()}


def journal_position(run: Run, handle: str = "FP_JOURNAL_RTDL_V1") -> dict[tuple[str, int], int]:
    """Next offset per input partition such that all before it are in the journal; from the ranges, without the lane's code."""
    taken: dict[tuple[str, int], set[int]] = defaultdict(set)
    for value in values(run, handle):
        for name, partition, first, last in JournalRecord.from_bytes(value).ranges:
            taken[(name, partition)].update(range(first, last + 1))
    position = {}
    for place, offsets in taken.items():
        at = 0
        while at in offsets:
            at += 1
        position[place] = at
    return position


def audited(run: Run) -> list[str]:
    """Event ids of the audit chain, after following its digests from the first segment through the head.

    A lane may write meanwhile: the head is read first, so all segments up to it are there, and further ones may follow.
    """
    head = read_head(run.store)
    previous, found, digests = "0" * 64, list[str](), set[str]()
    for key in run.store.keys("audit/segments"):
        segment = read_segment(run.store.read(key), key)
        assert segment.header["previous"] == previous, f"{key} does not follow the segment before it"
        previous = segment.digest
        digests.add(previous)
        if len(segment.values.lengths):
            found += [event for event in bodies_of(segment.values).event_ids.text() if event]
    assert head is None or head[1] in digests, "the head is not a segment of the chain"
    return found


def assert_head_is_last(run: Run) -> None:
    """The head of the audit chain names its last segment; true of a chain at rest."""
    last = read_segment(run.store.read(max(run.store.keys("audit/segments"))), "the last segment")
    head = read_head(run.store)
    assert head is not None and head[1] == last.digest, "the head is not the last segment"
