"""A small audit chain made by the audit lane, in memory."""

from __future__ import annotations

import asyncio
from functools import cache

from machines import audit_machine
from records import RTDL, chunk, decision, outcome

from assay.app.simulation.log import MemoryStore
from assay.app.stores.segment_journal import SegmentJournal

WALL_US = 1_800_000_000_000_000


@cache
def segments(count: int = 5, first: int = 0) -> tuple[bytes, ...]:
    """Segments of two records each."""
    lane, made = audit_machine(), []
    for number in range(count):
        events = [f"e{first + 2 * number}", f"e{first + 2 * number + 1}"]
        lane.receive(chunk(RTDL, [v for e in events for v in (decision(e), outcome(e))], 4 * number))
        entry = lane.next_entry(WALL_US + number) or lane.next_entry(WALL_US + 10**6 + number)
        assert entry is not None
        lane.apply(entry.value)
        made.append(entry.value)
    return tuple(made)


def stored(values: tuple[bytes, ...] | None = None) -> MemoryStore:
    """A store with this chain and its head."""
    store = MemoryStore()

    async def write() -> None:
        journal = SegmentJournal(store)
        for value in segments() if values is None else values:
            await (await journal.append(value, 0))

    asyncio.run(write())
    return store
