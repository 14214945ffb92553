"""Flink on workload W in a local cluster: state on the heap, a checkpoint a second, its source, operator and sink in one thread or two.

Tried, with a prototype of the same design on the same machine: behind a shuffle 128,000 to 138,000 events/s, chained 139,000 to 161,000,
chained without any checkpoint 177,000 to 182,000. Hence: no shuffle, object reuse, states packed by hand and changed in their place (the
heap backend copies a map only while a checkpoint still needs it), client buffers as large as the other rivals'. `flink_chained_parallel`
differs by its collector. Whichever of the contestants is fastest is its best.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from bench.peers.jvm import java_program

from assay.app.bench.peers import Peer, PeerRound
from assay.app.settings import Settings

SETTINGS: Final = {
    "state.backend.type": "hashmap",
    "execution.checkpointing.storage": "filesystem",
    "execution.checkpointing.interval": "1 s",
    "pipeline.object-reuse": "true",
    "source.max.poll.records": "5000",
    "source.max.partition.fetch.bytes": str(4 << 20),
    "sink.acks": "all",
    "sink.batch.size": str(1 << 18),
    "sink.buffer.memory": str(128 << 20),
    "sink.linger.ms": "20",
}
#: what Flink's own start script gives a JVM of our version, as far as this job needs it
FLAGS: Final = (
    "-Xmx4g",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.net=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.time=ALL-UNNAMED",
)
#: contestant → how its parts are wired, and further flags of the JVM
TUNINGS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "flink_chained": ("chained", ()),
    "flink_chained_parallel": ("chained", ("-XX:+UseParallelGC",)),
    "flink_shuffled": ("shuffled", ()),
}


def prepare(wiring: str, flags: tuple[str, ...], settings: Settings, say: Callable[[str], None]) -> Callable[[PeerRound], list[str]]:
    """Fetch, compile, and the command."""
    command = java_program("flink", "FlinkPeer", "flink.sha256", (*FLAGS, *flags), settings, say)
    given = [wiring, *(f"{name}={value}" for name, value in SETTINGS.items())]
    return lambda at: command(at, given)


PEERS: Final = {name: Peer(partial(prepare, *tuning), fetched=True) for name, tuning in TUNINGS.items()}
