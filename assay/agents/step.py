"""The vocabulary of a component: what comes in, what goes out, and the promise in between.

A `Machine` is the pure side of a lane. The shell (Faust or the simulator) moves bytes and time in and out of it and
never decides anything; the order journal → acknowledged → outputs → acknowledged → commit is in `agents/lane.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias

from assay.codecs.columns import I32, I64, U8, Strings

#: (topic handle, partition)
TopicPartition: TypeAlias = tuple[str, int]


class LaneId(NamedTuple):
    """The identity of a lane in a run: its name in the topology and its shard. The shard is the partition of its journal."""

    lane: str
    shard: int

    def __str__(self) -> str:
        return f"{self.lane}/{self.shard}"

    @property
    def labels(self) -> tuple[str, str]:
        """Name and shard as the labels of a metric."""
        return self.lane, str(self.shard)

    @classmethod
    def parse(cls, text: str) -> LaneId:
        """From `rtdl/0`, or from a name alone for shard 0. Raises ValueError for another form."""
        lane, slash, shard = text.partition("/")
        if not lane or (slash and not (shard.isascii() and shard.isdigit())):
            raise ValueError(f"'{text}' is not LANE or LANE/SHARD")
        return cls(lane, int(shard or 0))


class Chunk(NamedTuple):
    """Records of one topic partition as fetched, in offset order. `values` may hold null (a tombstone).

    `begins`, where given, is the offset the fetch was to begin at: what exists from there to the last offset is in the chunk.
    `newest_ms` is the newest time at which a record of the fetch was written, by its writer's clock: milliseconds since the epoch,
    0 where it is not known.
    """

    handle: str
    partition: int
    offsets: I64
    values: Strings
    begins: int = -1
    newest_ms: int = 0

    @property
    def tp(self) -> TopicPartition:
        return (self.handle, self.partition)

    @property
    def first(self) -> int:
        """The first offset this chunk answers for."""
        return int(self.offsets[0]) if self.begins < 0 else self.begins


class Emission(NamedTuple):
    """Records for one topic, in order. Within one partition they are published in this order.

    `counted` are fields of the records by which they are counted: the rows of such a column lie on few places of a small buffer.
    """

    handle: str
    partitions: I32
    keys: Strings
    values: Strings
    counted: Mapping[str, Strings] = MappingProxyType({})


class Effects(NamedTuple):
    """Calls to the world outside, n of them in order, made only after their journal record is acknowledged."""

    idempotency_key: U8
    """uint8 (n, 32): the world outside is asked by it and acts once for it."""
    action_kind: Strings
    source_event_id: Strings
    ask_first: bool
    """True after a restart: a call may have been made already, so the effector is asked by its key."""


class EffectResults(NamedTuple):
    """What became of effects, in their order. `status` is EXECUTED, FAILED or UNCERTAIN_COMMIT."""

    status: Strings
    attempts: I32
    reason: Strings
    provider_ref: Strings


class LaneOutput(NamedTuple):
    """What folding one journal record gives; `wall_us` is the time of the record."""

    emissions: Sequence[Emission]
    effects: Effects | None = None
    wall_us: int = 0

    def published_ms(self, now_us: int) -> int:
        """The time to publish it with: the writer's, and not before the record's, so that who reads it does nothing before it."""
        return max(now_us // 1_000, -(-self.wall_us // 1_000))


class JournalEntry(NamedTuple):
    """A journal record before it has bytes on the broker: its sequence and the bytes to append."""

    sequence: int
    value: bytes
    rows: int


class Machine(Protocol):
    """A lane without I/O, clock or randomness. State is a fold of its journal: `apply` is the only way to change it."""

    name: str

    def receive(self, chunk: Chunk) -> None:
        """Take fetched records. Offsets already journaled are skipped, so redelivery is harmless."""

    def bootstrap(self, ends: Mapping[TopicPartition, int]) -> None:
        """Next offsets of the inputs when the lane started, for inputs that must be read before the others are."""

    def wants(self, tp: TopicPartition) -> bool:
        """False while enough of this partition is buffered; the shell stops fetching it."""

    def waits_for(self) -> list[str]:
        """Handles of the topics whose watermarks hold back rows that were received; empty when no row waits for order."""

    def next_entry(self, wall_us: int) -> JournalEntry | None:
        """The next journal record (processing order is fixed here), or None when nothing can be ordered yet."""

    def apply(self, value: bytes) -> LaneOutput:
        """Fold one journal record. The same bytes give the same outcome on every machine."""

    def results_entry(self, results: EffectResults, wall_us: int) -> JournalEntry:
        """The journal record that holds what effects answered. Its `apply` gives the outcome records."""

    def emitted(self, sequence: int) -> None:
        """Outputs of this sequence and all before it are acknowledged by the broker."""

    def recover(self, value: bytes) -> None:
        """Fold the next record of the journal, from its first to its last, before anything is received."""

    def unemitted(self) -> Sequence[tuple[int, LaneOutput]]:
        """After the last record: (sequence, outcome) not known to be emitted, oldest first."""

    def claim_entry(self, wall_us: int) -> JournalEntry | None:
        """The first record of a new writer: it ends every older epoch. None where the journal itself keeps writers apart."""

    def fencing_check(self, sequence: int, between: Sequence[bytes]) -> bool:
        """Whether this writer's record counts although these records of other writers landed right before it."""

    def position(self) -> dict[TopicPartition, int]:
        """Next offset per input partition that is not yet in the journal: where to seek after a restart."""

    def committable(self) -> dict[TopicPartition, int]:
        """Next offset per input partition whose outputs are acknowledged: what the group may commit."""

    def table(self, name: str) -> Any:
        """The projection of this name (an object with `row(key)`) for the web view, None when there is none."""
