"""Topics as the gate writes them, for tests of the merge: events in event-time order, marks on every partition between them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from machines import reader
from records import LABELS, TRAFFIC, label, mark, payment

from assay.agents.intake import Intake
from assay.agents.merge import Slice
from assay.agents.step import TopicPartition
from assay.agents.topology import TOPOLOGY
from assay.codecs.columns import Strings

RANKS = {LABELS: 1, TRAFFIC: 3}


def intake() -> Intake:
    return reader(TOPOLOGY.lane("rtdl"), list(RANKS))


def ids(slices: Sequence[Slice]) -> list[bytes | None]:
    found: list[bytes | None] = []
    for taken in slices:
        if taken.rows is not None:
            column = taken.rows.column("row.event_id")
            assert isinstance(column, Strings)
            found.extend(column.tolist())
    return found


World = list[tuple[int, str, bytes]]


def world(seed: int, n: int) -> World:
    """(ts, topic, record) in event-time order, with many equal times and places among them."""
    random = Random(seed)
    events: World = []
    for i in range(n):
        ts = random.randrange(12) * 1_000
        handle = random.choice([LABELS, TRAFFIC])
        name = f"{random.randrange(10_000):04d}-{i}"
        order = random.choice([0, 1, 2**62])
        told = payment(name, ts, source_order=order) if handle == TRAFFIC else label(name, ts, "x", 0, source_order=order)
        events.append((ts, handle, told))
    return sorted(events, key=lambda event: event[0])


def logs(events: World, partitions: int, marks_every: int, seed: int) -> dict[TopicPartition, list[bytes]]:
    """The topics as the gate writes them: each topic in event-time order, marks on every partition after earlier events."""
    random = Random(seed)
    written: dict[TopicPartition, list[bytes]] = {(handle, p): [] for handle in RANKS for p in range(partitions)}
    for i, (ts, handle, record) in enumerate(events):
        if i % marks_every == 0:
            for place, values in written.items():
                values.append(mark(*place, ts))
        written[(handle, random.randrange(partitions))].append(record)
    for place, values in written.items():
        values.append(mark(*place, 0, final=True))
    return written
