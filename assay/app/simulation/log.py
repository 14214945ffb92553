"""Models of what outlives every process: Kafka's log (partitions, offsets) and an object store. Neither can be chosen as wiring."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from assay.agents.step import TopicPartition
from assay.app.stores.objects import ObjectChanged, ObjectExists


class LoggedRecord(NamedTuple):
    """One record of the model log."""

    key: bytes
    value: bytes
    wall_us: int


class ModelLog:
    """Topics with partitions of records. What is appended stays; whether an append arrives is decided by who sends it."""

    def __init__(self) -> None:
        self._records: dict[TopicPartition, list[LoggedRecord]] = defaultdict(list)
        self._arrivals: dict[TopicPartition, list[int]] = defaultdict(list)
        #: where partitions begin for those who read them; checks read what is before that too
        self.first: dict[TopicPartition, int] = defaultdict(int)
        #: records of all partitions
        self.count = 0

    def append(self, tp: TopicPartition, record: LoggedRecord) -> int:
        """Append one record; its offset."""
        return self.extend(tp, (record,))

    def extend(self, tp: TopicPartition, records: Sequence[LoggedRecord]) -> int:
        """Append records together, as a broker takes a batch; the offset of the first."""
        partition = self._records[tp]
        first = len(partition)
        partition.extend(records)
        self._arrivals[tp].extend(range(self.count, self.count + len(records)))
        self.count += len(records)
        return first

    def read(self, tp: TopicPartition, offset: int, records_max: int) -> list[LoggedRecord]:
        """Records from an offset on."""
        return self._records[tp][offset : offset + records_max]

    def end(self, tp: TopicPartition) -> int:
        """The next offset of a partition."""
        return len(self._records[tp])

    def arrivals(self, tp: TopicPartition) -> Sequence[int]:
        """For each record of a partition, how many records there were anywhere before it."""
        return self._arrivals[tp]

    def tps(self) -> list[TopicPartition]:
        """Partitions that hold records."""
        return sorted(tp for tp, records in self._records.items() if records)

    def values(self, handle: str) -> list[bytes]:
        """All values of a topic, partition by partition."""
        tps = [tp for tp in self.tps() if tp[0] == handle]
        return [record.value for tp in tps for record in self._records[tp]]


class MemoryStore:
    """An object store in memory. `now` says when an object was written, in whatever the caller counts by.

    Its writes are durable. One that was cut off before its end is seen all the same, and lost when power fails, until its folder
    is flushed by another write there or by `make_durable`.
    """

    def __init__(self, objects: Mapping[str, bytes] | None = None, now: Callable[[], int] = lambda: 0) -> None:
        self.objects = dict(objects or {})
        self.written_at: dict[str, int] = {}
        self._now = now
        #: what is there again after a power failure in the place of objects that were not flushed
        self._flushed: dict[str, bytes | None] = {}

    def cut_off(self, key: str, write: Callable[[], None]) -> None:
        """Do a write of this object whose process ends before it is flushed."""
        flushed = self._flushed.get(key, self.objects.get(key))
        write()
        self._flushed[key] = flushed

    def power_fails(self) -> None:
        """What was not flushed is lost."""
        for key, value in self._flushed.items():
            if value is None:
                self.objects.pop(key, None)
            else:
                self.objects[key] = value
        self._flushed.clear()

    def make_durable(self, prefix: str) -> None:
        for key in [key for key in self._flushed if key.startswith(prefix + "/")]:
            del self._flushed[key]

    def create(self, key: str, data: bytes) -> None:
        if key in self.objects:
            self.make_durable(key.rpartition("/")[0])
            raise ObjectExists(key)
        self.replace(key, data)

    def replace(self, key: str, data: bytes) -> None:
        self.make_durable(key.rpartition("/")[0])
        self.objects[key] = data
        self.written_at[key] = self._now()

    def swap(self, key: str, data: bytes, expected: bytes | None) -> None:
        if self.objects.get(key) != expected:
            raise ObjectChanged(key)
        self.replace(key, data)

    def read(self, key: str) -> bytes:
        if key not in self.objects:
            raise FileNotFoundError(key)
        return self.objects[key]

    def create_from(self, key: str, blocks: Iterable[bytes | memoryview]) -> None:
        self.create(key, b"".join(blocks))

    def view(self, key: str) -> memoryview:
        return memoryview(self.read(key))

    def remove(self, key: str) -> None:
        self.objects.pop(key, None)
        self._flushed.pop(key, None)

    def remove_below(self, folder: str) -> None:
        for key in list(self.keys(folder)):
            self.remove(key)

    def keys(self, prefix: str) -> Iterator[str]:
        yield from sorted(key for key in self.objects if key.startswith(prefix + "/"))
