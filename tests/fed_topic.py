"""One process after the other that feeds a topic in memory to a gate in memory, over one store: each may be killed anywhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connect_gate import Fate, FatedStore, FedGate
from gate_events import NOW_US
from topic_records import TOPIC, MemoryTopic, mapping_of, record, value_of

from assay.app.connect.aside import SetAside, set_aside
from assay.app.connect.partition_feed import FeedOptions, Route
from assay.app.connect.positions import Begun, Positions, begun
from assay.app.connect.topic_feed import FeedPlan, TopicFeed, starting
from assay.app.connect.values import json_record
from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.checkpoint import Checkpoint, Keeper
from assay.app.streamer.watch import UNWATCHED
from assay.app.streamer.world_streamer import Streamed

RUN = "5c" * 16
BAD = b"{"


class StoreKeepers:
    """Cursors in a store."""

    def __init__(self, store: DirectoryStore) -> None:
        self._store = store

    def of(self, name: str) -> Keeper:
        """The keeper of a partition."""
        return Checkpoint(self._store, name, "scope", "kafka_connect")


class FedTopic:
    """A topic, a gate and a store; `feed` is one process over them."""

    def __init__(self, folder: Path, topic: MemoryTopic) -> None:
        self.mapping = mapping_of(folder)
        self.topic, self.fate = topic, Fate()
        self.gate, self.store = FedGate(self.fate), FatedStore(folder / "store", self.fate)
        self.stop = asyncio.Event()
        self.shown: list[tuple[int, str, int]] = []
        self.now_s = 0.0

    def feed(self, at: str = "earliest", *, until_end: bool = True, look_s: float = 0.01, **options: Any) -> Streamed:
        """Feed until the end. Every call of the clock is a second, so each batch has a checkpoint."""
        self.fate.reborn()
        return asyncio.run(self._feed(at, FeedPlan(self.topic.look(), until_end, 3.0, look_s), FeedOptions(**options)))

    async def _feed(self, at: str, plan: FeedPlan, options: FeedOptions) -> Streamed:
        self.stop = asyncio.Event()
        start = begun(self.store, RUN, TOPIC, Begun(plan.first.topic_id, starting(plan.first.bounds, at)))
        positions = Positions(StoreKeepers(self.store), TOPIC, start)

        def route(moved: Callable[[], None]) -> Route:
            way = (TOPIC, self.mapping, json_record, self.gate, positions, options, UNWATCHED)
            return Route(*way, lambda: NOW_US, self._clock, self.stop.is_set, moved)

        def aside(partition: int, offset: int) -> SetAside:
            return SetAside(self.store, RUN, TOPIC, partition, offset)

        return await TopicFeed(self.topic, plan, route, aside, self.stop, lambda *told: self.shown.append(told)).run()

    def _clock(self) -> float:
        self.now_s += 1.0
        return self.now_s

    def position(self, partition: int = 0) -> int:
        """The offset that is kept."""
        return json.loads(self.store.read(f"kafka_connect/checkpoints/{TOPIC}/{partition}.json"))["position"]  # type: ignore[no-any-return]

    def aside(self) -> list[tuple[int, int]]:
        """Places that were set aside."""
        return [(one["partition"], one["offset"]) for one in set_aside(self.store, RUN, TOPIC)]


def filled(*sizes: int, bad: frozenset[tuple[int, int]] = frozenset(), gaps: int = 1, at_once: int = 3) -> MemoryTopic:
    """Partitions of so many records; every `gaps`-th offset has one."""
    partitions: list[list[tuple[int, bytes | None]]] = []
    for partition, size in enumerate(sizes):
        values = [BAD if (partition, n) in bad else value_of(record(n, id=f"{partition}-{n}")) for n in range(size)]
        partitions.append([(n * gaps, value) for n, value in enumerate(values)])
    return MemoryTopic(partitions, at_once)
