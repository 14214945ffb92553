"""The audit lane's journal: create-only by sequence, and a head that a crash may leave one segment behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from audit_chains import segments, stored

from assay.app.simulation.log import MemoryStore
from assay.app.stores.objects import DirectoryStore
from assay.app.stores.segment_journal import HEAD, SegmentJournal, read_head, segment_key
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def read(store: MemoryStore) -> list[tuple[int, bytes]]:
    """All segments of a chain, as a restart reads them."""

    async def whole() -> list[tuple[int, bytes]]:
        return [entry async for entry in SegmentJournal(store).read_all()]

    return asyncio.run(whole())


def test_segments_are_read_in_the_order_they_were_appended_also_from_a_directory(tmp_path: Path) -> None:
    async def write_and_read() -> list[tuple[int, bytes]]:
        journal = SegmentJournal(DirectoryStore(tmp_path))
        await journal.start()
        for value in segments()[:3]:
            await (await journal.append(value, 0))
        await journal.close()
        again = SegmentJournal(DirectoryStore(tmp_path))
        found = [entry async for entry in again.read_all()]
        assert await (await again.append(segments()[3], 0)) == 3
        return found

    assert asyncio.run(write_and_read()) == list(enumerate(segments()[:3]))
    head = read_head(DirectoryStore(tmp_path))
    assert head is not None
    assert head.sequence == 3


def test_a_second_writer_of_a_segment_is_stopped() -> None:
    store = stored(segments()[:2])

    async def both() -> None:
        one, other = SegmentJournal(store), SegmentJournal(store)
        for journal in (one, other):
            async for _ in journal.read_all():
                pass
        await (await one.append(segments()[2], 0))
        await (await other.append(segments()[3], 0))

    with pytest.raises(Stop) as stopped:
        asyncio.run(both())
    assert stopped.value.reason is Reason.AUDIT_CHAIN_BROKEN
    assert store.objects[segment_key(2)] == segments()[2]


@pytest.mark.parametrize("count", [1, 4])
def test_a_head_that_a_crash_left_behind_is_moved_on(count: int) -> None:
    store, whole = stored(segments()[: count - 1]), stored(segments()[:count])
    store.objects[segment_key(count - 1)] = segments()[count - 1]
    assert len(read(store)) == count
    assert store.objects == whole.objects


def _lose(key: str) -> Callable[[MemoryStore], None]:
    def lose(store: MemoryStore) -> None:
        del store.objects[key]

    return lose


def _set(key: str, value: bytes) -> Callable[[MemoryStore], None]:
    return lambda store: store.objects.update({key: value})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(_lose(segment_key(2)), Reason.AUDIT_CHAIN_BROKEN, id="one is missing"),
        pytest.param(_lose(segment_key(0)), Reason.AUDIT_CHAIN_BROKEN, id="the first is missing"),
        pytest.param(_lose(segment_key(4)), Reason.AUDIT_HEAD_MISMATCH, id="the last is missing"),
        pytest.param(_lose(HEAD), Reason.AUDIT_HEAD_MISMATCH, id="no head"),
        pytest.param(_set(segment_key(4), segments()[3]), Reason.AUDIT_HEAD_MISMATCH, id="another last"),
        pytest.param(_set(segment_key(5), segments()[3]), None, id="one more, as a crash leaves it"),
        pytest.param(_set(HEAD, b"{}"), Reason.AUDIT_HEAD_MISMATCH, id="an empty head"),
        pytest.param(_set(HEAD, b"[1]"), Reason.AUDIT_HEAD_MISMATCH, id="a head that is a list"),
        pytest.param(_set(HEAD, b"[" * 5_000), Reason.AUDIT_HEAD_MISMATCH, id="a head nested without end"),
        pytest.param(_set(HEAD, b"\xff"), Reason.AUDIT_HEAD_MISMATCH, id="a head that is no text"),
        pytest.param(_set(HEAD, b'{"sequence":4,"sha256":1.5}'), Reason.AUDIT_HEAD_MISMATCH, id="a digest that is a broken number"),
        pytest.param(_set(HEAD, b'{"sequence":4.0,"sha256":""}'), Reason.AUDIT_HEAD_MISMATCH, id="a sequence that is no integer"),
    ],
)
def test_a_chain_and_head_that_do_not_end_alike_stop_the_lane(change: Callable[[MemoryStore], None], reason: Reason | None) -> None:
    store = stored()
    change(store)
    if reason is None:
        assert len(read(store)) == 6
        return
    with pytest.raises(Stop) as stopped:
        read(store)
    assert stopped.value.reason is reason


def test_an_audit_goes_on_after_a_power_failure_took_what_a_cut_off_write_left() -> None:
    """Simulated store: the segment of a writer that ended is seen by the next, which makes it durable before its head names it."""
    store = MemoryStore()
    for number, value in enumerate(segments()[:2]):
        store.cut_off(segment_key(number), partial(store.create, segment_key(number), value))
        assert read(store)[-1] == (number, value)
        store.power_fails()
        assert read(store)[-1] == (number, value)
