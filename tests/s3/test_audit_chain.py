"""The audit chain on a real S3 server: one writer wins, and a server in trouble costs time and no segment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from faulty_proxy import Trouble
from troubled_store import Troubled

from assay.app.stores.objects import ObjectStore
from assay.app.stores.s3 import S3Store, client_of
from assay.app.stores.segment_journal import HEAD, SegmentJournal, read_head, segment_key
from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.testing import until

AGAIN_S = (0.05,)


@pytest.fixture
def store(s3: str) -> S3Store:
    """An empty one."""
    return S3Store(s3, "run", client_of())


async def opened(store: ObjectStore) -> SegmentJournal:
    """A writer that has read the chain."""
    journal = SegmentJournal(store, AGAIN_S)
    async for _ in journal.read_all():
        pass
    return journal


async def written(journal: SegmentJournal, values: Sequence[bytes]) -> list[int]:
    """Offsets of segments, appended one after another."""
    return [await (await journal.append(value, 0)) for value in values]


def chain(store: ObjectStore) -> list[bytes]:
    """Every segment as another process reads it; the head is that of the last one."""

    async def read() -> list[bytes]:
        return [value async for _, value in SegmentJournal(store, AGAIN_S).read_all()]

    return asyncio.run(read())


def test_a_chain_is_written_and_goes_on_in_another_process(store: S3Store) -> None:
    async def begun() -> list[int]:
        return await written(await opened(store), [b"0", b"1"])

    async def gone_on() -> list[int]:
        return await written(await opened(store), [b"2"])

    assert (asyncio.run(begun()), asyncio.run(gone_on())) == ([0, 1], [2])
    assert chain(store) == [b"0", b"1", b"2"]


def test_of_two_writers_one_loses_with_its_code_and_the_chain_is_one_writers(store: S3Store) -> None:
    async def raced() -> Sequence[object]:
        one, other = await opened(store), await opened(store)
        return await asyncio.gather(written(one, [b"one"]), written(other, [b"other"]), return_exceptions=True)

    won = [end for end in asyncio.run(raced()) if not isinstance(end, Stop)]
    assert won == [[0]]
    assert chain(store) in ([b"one"], [b"other"])


def test_a_writer_that_slept_while_another_wrote_is_refused(store: S3Store) -> None:
    async def slept() -> None:
        stale = await opened(store)
        await written(await opened(store), [b"0", b"1"])
        with pytest.raises(Stop) as refused:
            await written(stale, [b"another 0"])
        assert refused.value.reason is Reason.AUDIT_CHAIN_BROKEN

    asyncio.run(slept())
    assert chain(store) == [b"0", b"1"]


def test_a_writer_that_slept_behind_its_segment_does_not_move_the_head_back(troubled: Troubled) -> None:
    async def slept() -> None:
        stale = await opened(troubled.store)
        troubled.proxy.become(Trouble.UNANSWERED)
        appending = asyncio.create_task(written(stale, [b"0"]))
        await asyncio.to_thread(until, lambda: list(troubled.around.keys("audit")) != [], 30)
        await written(await opened(troubled.around), [b"1"])
        troubled.proxy.become(Trouble.NONE)
        with pytest.raises(Stop) as refused:
            await appending
        assert refused.value.reason is Reason.AUDIT_CHAIN_BROKEN

    asyncio.run(slept())
    assert chain(troubled.around) == [b"0", b"1"]


def test_a_head_that_a_kill_left_behind_is_moved_on(store: S3Store) -> None:
    asyncio.run(_begun(store))
    store.create(segment_key(1), b"1")
    assert chain(store) == [b"0", b"1"]
    head = read_head(store)
    assert head is not None
    assert head.sequence == 1
    store.replace(HEAD, canonical({"sequence": 0, "sha256": "0" * 64}))
    with pytest.raises(Stop) as refused:
        chain(store)
    assert refused.value.reason is Reason.AUDIT_HEAD_MISMATCH


async def _begun(store: ObjectStore) -> None:
    await written(await opened(store), [b"0"])


@pytest.mark.parametrize("trouble", [Trouble.UNAVAILABLE, Trouble.SILENT, Trouble.UNANSWERED])
def test_a_server_in_trouble_costs_time_and_no_segment(troubled: Troubled, trouble: Trouble) -> None:
    """Also where the segment was created, or the head moved, and nobody was told."""

    async def disturbed() -> list[int]:
        journal = await opened(troubled.store)
        await written(journal, [b"0"])
        troubled.proxy.become(trouble)
        appending = asyncio.create_task(written(journal, [b"1", b"2"]))
        await asyncio.to_thread(until, lambda: troubled.proxy.met > 3, 30)
        assert not appending.done()
        troubled.proxy.become(Trouble.NONE)
        return await appending

    assert asyncio.run(disturbed()) == [1, 2]
    assert chain(troubled.around) == [b"0", b"1", b"2"]


def test_a_segment_that_another_worker_wrote_while_the_answer_was_lost_is_no_segment_of_ours(troubled: Troubled) -> None:
    async def disturbed() -> Reason:
        journal = await opened(troubled.store)
        troubled.proxy.become(Trouble.UNAVAILABLE)
        appending = asyncio.create_task(written(journal, [b"ours"]))
        await asyncio.to_thread(until, lambda: troubled.proxy.met > 0, 30)
        await written(await opened(troubled.around), [b"theirs"])
        troubled.proxy.become(Trouble.NONE)
        with pytest.raises(Stop) as refused:
            await appending
        return refused.value.reason

    assert asyncio.run(disturbed()) is Reason.AUDIT_CHAIN_BROKEN
    assert chain(troubled.around) == [b"theirs"]


def test_a_key_that_is_refused_ends_the_lane_with_its_code(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = asyncio.run(opened(S3Store(s3, "run", client_of())))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    journal._store = S3Store(s3, "run", client_of())
    with pytest.raises(Stop) as refused:
        asyncio.run(written(journal, [b"0"]))
    assert refused.value.reason is Reason.ACCESS_DENIED
