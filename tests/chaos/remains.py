"""What a run on real servers has left: every record of its topics, and what its groups have committed beside how long the journals are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as ClientPartition
from lane_worker import committed_of

from assay.agents.specs import JournalTopic
from assay.agents.step import TopicPartition
from assay.agents.topology import TOPOLOGY
from assay.app.bus.properties import read_bus_properties
from assay.app.bus.rights import READERS_GROUP
from assay.app.bus.users import BusUser, properties_file, properties_of
from assay.app.lane.assembly import partition_counts
from assay.app.run.directory import Run
from assay.codecs.audit_segment import SEGMENTS
from assay.contracts.topics import topic, topics_of
from assay.testing import until

ANSWER_S = 60.0
_END = KafkaError._PARTITION_EOF


class Left(NamedTuple):
    """The values and the wall times (ms) of every record, by partition, in offset order."""

    values_of: Mapping[TopicPartition, Sequence[bytes]]
    times_ms_of: Mapping[TopicPartition, Sequence[int]]

    def values(self, handle: str) -> list[bytes]:
        """All values of a topic."""
        return [value for place, values in sorted(self.values_of.items()) if place[0] == handle for value in values]

    def published_s(self, handle: str) -> list[float]:
        """When the records of a topic were published, in seconds since the epoch."""
        return [ms / 1_000 for place, times in self.times_ms_of.items() if place[0] == handle for ms in times]


class Commit(NamedTuple):
    """The input that a lane's group might skip, and how many records the lane's journal had then or soon after."""

    lane: str
    offsets: Mapping[TopicPartition, int]
    journal_end: int


def commits_now(run: Run) -> list[Commit]:
    """One per lane. The journal is looked at after the commit, so it is never taken for shorter than it was."""
    made = []
    for lane in TOPOLOGY.lanes:
        offsets = committed_of(run, lane.name)
        if isinstance(lane.journal, JournalTopic):
            end = watermarks(run, [lane.journal.handle])[(lane.journal.handle, 0)]
        else:
            end = sum(1 for _ in run.store.keys(SEGMENTS))
        made.append(Commit(lane.name, offsets, end))
    return made


def read_all(run: Run, handles: Sequence[str] = ()) -> Left:
    """Every record of these topics, all topics of the run if none are named."""
    settings: dict[str, str | int | float | bool] = {"bootstrap.servers": run.bootstrap, "group.id": READERS_GROUP, "log_level": 0}
    settings |= properties_of(run, BusUser.READER)
    consumer = Consumer({**settings, "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "earliest"})
    values: dict[TopicPartition, list[bytes]] = {}
    times_ms: dict[TopicPartition, list[int]] = {}
    try:
        for place, end in watermarks(run, handles or list(topics_of(run.config.traffic))).items():
            read = list(_records(consumer, ClientPartition(topic(place[0]).name(run.namespace), place[1], 0), end))
            values[place], times_ms[place] = [value for value, _ in read], [ms for _, ms in read]
    finally:
        consumer.close()
    return Left(values, times_ms)


def _records(consumer: Consumer, place: ClientPartition, end: int) -> Iterator[tuple[bytes, int]]:
    consumer.assign([place])
    read = 0
    while read < end:
        messages = consumer.consume(min(10_000, end - read), 30)
        assert messages, f"{place.topic}[{place.partition}] gives {read} records of {end}"
        for message in messages:
            error = message.error()
            assert error is None or error.code() == _END, error
            if error is None:
                read += 1
                yield message.value() or b"", message.timestamp()[1]


def watermarks(run: Run, handles: Sequence[str]) -> dict[TopicPartition, int]:
    """Next offset of every partition, waited for while a broker that has just come back does not lead them yet."""
    counts = partition_counts(run.partitions)
    places = [(handle, number) for handle in handles for number in range(counts[handle])]

    def asked() -> dict[TopicPartition, int] | None:
        try:
            return {place: _end(run, place) for place in places}
        except KafkaException:
            return None

    found = until(asked, ANSWER_S)
    assert found is not None
    return found


def _end(run: Run, place: TopicPartition) -> int:
    at = ClientPartition(topic(place[0]).name(run.namespace), place[1])
    return int(_asking(run.bootstrap, run.directory / run.bus_users if run.bus_users else None).get_watermark_offsets(at, timeout=5)[1])


@cache
def _asking(bootstrap: str, users: Path | None) -> Consumer:
    """One client for all questions of this process: they are asked many times a second."""
    properties = {} if users is None else read_bus_properties(properties_file(users, BusUser.READER))
    return Consumer({**properties, "bootstrap.servers": bootstrap, "group.id": READERS_GROUP, "log_level": 0})
