"""Kafka Streams on workload W: as it comes, exactly once, and with the best settings found here.

Tried on the way to those, with a prototype of the same design on the same machine: its defaults 19,000 to 20,000 events/s; in memory
without a cache 29,000 to 31,000; in memory, 512 MiB of cache, exactly once, 200 ms commits 33,000 to 34,000; at least once with 1 s commits
41,000 to 49,000, in memory or RocksDB alike. A linger of 20 ms instead of Streams' 100 looked better in single rounds since.
`streams_best_parallel` differs by its collector.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from bench.peers.jvm import java_program

from assay.app.bench.peers import Peer, PeerRound
from assay.app.settings import Settings


class Tuning(NamedTuple):
    """Where the stores are, settings of Streams by their names, and flags of the JVM."""

    stores: str
    settings: dict[str, str]
    flags: tuple[str, ...] = ()


TUNED: Final = {
    "statestore.cache.max.bytes": str(512 << 20),
    "producer.linger.ms": "20",
    "producer.batch.size": str(1 << 18),
    "producer.buffer.memory": str(128 << 20),
    "max.poll.records": "5000",
    "buffered.records.per.partition": "10000",
    "consumer.max.partition.fetch.bytes": str(4 << 20),
}
#: a round freezes the process while input is written, and Streams' own ten seconds may pass meanwhile
PATIENT: Final = {"producer.transaction.timeout.ms": "60000"}
TUNINGS: Final = {
    "streams_default": Tuning("rocksdb", {}),
    "streams_eos": Tuning("memory", {**TUNED, "processing.guarantee": "exactly_once_v2", "commit.interval.ms": "200", **PATIENT}),
    "streams_best": Tuning("memory", {**TUNED, "commit.interval.ms": "1000"}),
    "streams_best_parallel": Tuning("memory", {**TUNED, "commit.interval.ms": "1000"}, ("-XX:+UseParallelGC",)),
}


def prepare(tuning: Tuning, settings: Settings, say: Callable[[str], None]) -> Callable[[PeerRound], list[str]]:
    """Fetch, compile, and the command."""
    command = java_program("kafkastreams", "KafkaStreamsPeer", "kafka_streams.sha256", tuning.flags, settings, say)
    given = [tuning.stores, *(f"{name}={value}" for name, value in tuning.settings.items())]
    return lambda at: command(at, given)


PEERS: Final = {
    name: Peer(
        partial(prepare, tuning),
        fetched=True,
        transactional="processing.guarantee" in tuning.settings,
        commits_when_stopped="commit.interval.ms" not in tuning.settings,
    )
    for name, tuning in TUNINGS.items()
}
