"""A fetch as one run holds what aiokafka's own records hold, and aiokafka still is what was read."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, FetchResult, PartitionRecords
from aiokafka.consumer.fetcher import Fetcher as StockFetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from assay.agents.faust_shell.fetching import (
    BUSY_BYTES,
    IDLE_WAIT_MS,
    Fetched,
    RawBatches,
    RunOfRecords,
    fetch_runs,
    fetch_wait,
    pace_fetches,
    to_chunk,
    wake_when_answered,
)
from assay.agents.faust_shell.transport import LaneConsumerThread

PLACE = TopicPartition("t", 0)
BUSY_WAIT_MS = 7
WRITTEN_MS = 1_700_000_000_000


def batch(base: int, values: list[bytes | None], compression: int = 0, transactional: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, compression, transactional, 5, 1, 0, 10**6)
    for i, value in enumerate(values):
        builder.append(i, WRITTEN_MS, b"key", value, [])
    return base.to_bytes(8, "big") + bytes(builder.build())[8:]


def read(kind: Any, records: Any, offset: int, isolation: int) -> tuple[list[Any], int]:
    found = kind(PLACE, records, [], offset, None, None, True, isolation)
    return list(found), found.next_fetch_offset


@pytest.mark.parametrize("isolation", [READ_COMMITTED, READ_UNCOMMITTED])
@pytest.mark.parametrize("offset", [40, 42, 46])
@pytest.mark.parametrize("options", [{}, {"compression": 1}, {"transactional": 1}])
def test_a_run_holds_what_the_stock_records_hold(options: dict[str, int], offset: int, isolation: int) -> None:
    raw = batch(40, [b"a", None, b"", b"d" * 300, b"e"], **options) + batch(47, [b"f"])
    stock, position = read(PartitionRecords, MemoryRecords(raw), offset, isolation)
    ours, our_position = read(RunOfRecords, RawBatches(raw), offset, isolation)
    if options:
        assert [(r.offset, r.value) for r in ours] == [(r.offset, r.value) for r in stock]
        assert to_chunk(("T", 0), ours).newest_ms == WRITTEN_MS
    else:
        (run,) = ours
        assert isinstance(run, Fetched)
        assert to_chunk(("T", 0), ours).newest_ms == WRITTEN_MS
        assert list(zip(run.offsets.tolist(), run.values.tolist(), strict=True)) == [(r.offset, r.value) for r in stock]
    assert our_position == position


def test_a_damaged_batch_is_the_error_aiokafka_gives() -> None:
    raw = bytearray(batch(0, [b"a" * 50]))
    raw[-3] ^= 1
    for kind, records in ((PartitionRecords, MemoryRecords(bytes(raw))), (RunOfRecords, RawBatches(bytes(raw)))):
        with pytest.raises(CorruptRecordException):
            read(kind, records, 0, READ_UNCOMMITTED)


def test_the_stock_coroutine_looks_up_the_two_names_that_are_replaced() -> None:
    stock = StockFetcher._proc_fetch_request
    assert {"MemoryRecords", "PartitionRecords"} <= set(stock.__code__.co_names)
    assert stock.__code__.co_freevars == ()
    assert list(inspect.signature(PartitionRecords.__init__).parameters)[1:5] == ["tp", "records", "aborted_transactions", "fetch_offset"]
    assert inspect.isgeneratorfunction(PartitionRecords._unpack_records)
    assert "next_fetch_offset" in inspect.getsource(FetchResult._update_position)


def test_only_the_fetcher_given_is_changed() -> None:
    fetcher, other = object.__new__(StockFetcher), object.__new__(StockFetcher)
    fetcher._closed = other._closed = True  # what its destructor asks
    fetch_runs(fetcher)
    assert inspect.iscoroutinefunction(fetcher._proc_fetch_request)
    assert fetcher._proc_fetch_request.__globals__["PartitionRecords"] is RunOfRecords
    assert other._proc_fetch_request.__globals__["PartitionRecords"] is PartitionRecords


@pytest.mark.parametrize(
    ("moved", "partly", "waits"),
    [
        pytest.param(False, False, (IDLE_WAIT_MS, 1), id="idle: the first record ends a long wait"),
        pytest.param(True, False, (BUSY_WAIT_MS, BUSY_BYTES), id="records come: a few ms of them share a fetch"),
        pytest.param(True, True, (BUSY_WAIT_MS, BUSY_BYTES), id="records come, some are not taken yet"),
        pytest.param(False, True, (BUSY_WAIT_MS, 1), id="a partition left out does not wait long for the others"),
    ],
)
def test_a_fetch_waits_for_what_is_coming(moved: bool, partly: bool, waits: tuple[int, int]) -> None:
    assert fetch_wait(BUSY_WAIT_MS, moved=moved, partly=partly) == waits


async def _waits(pace: Callable[[StockFetcher], None]) -> list[tuple[int, int]]:
    """The waits of five fetches: the position moves before the first and the third; a partition is left out of the last."""
    fetcher, found = object.__new__(StockFetcher), list[tuple[int, int]]()
    fetcher._closed, fetcher._records, fetcher._in_flight = True, {}, set()
    fetcher._get_actions_per_node = lambda assignment: found.append((fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes))
    subscriptions = SubscriptionState(asyncio.get_running_loop())
    subscriptions.assign_from_user([PLACE])
    assignment = subscriptions.subscription.assignment
    pace(fetcher)
    for position in (7, 7, 9, 9):
        assignment.state_value(PLACE).seek(position)
        fetcher._get_actions_per_node(assignment)
    fetcher._records = {PLACE: object()}
    fetcher._get_actions_per_node(assignment)
    return found


def _by_itself(fetcher: StockFetcher) -> None:
    pace_fetches(fetcher, BUSY_WAIT_MS)


def _by_the_thread_of_a_lane(fetcher: StockFetcher) -> None:
    thread = object.__new__(LaneConsumerThread)
    thread.app = SimpleNamespace(fetch_wait_ms=BUSY_WAIT_MS)
    thread.fit(fetcher)


@pytest.mark.parametrize("pace", [_by_itself, _by_the_thread_of_a_lane])
def test_a_fetch_is_paced_by_what_was_consumed_since_the_one_before(pace: Callable[[StockFetcher], None]) -> None:
    busy, idle = (BUSY_WAIT_MS, BUSY_BYTES), (IDLE_WAIT_MS, 1)
    assert asyncio.run(_waits(pace)) == [busy, idle, busy, idle, (BUSY_WAIT_MS, 1)]


class _Answers:
    """Stands where the network is: each fetch is over when the test says so."""

    def __init__(self) -> None:
        self.open: list[asyncio.Future[bool]] = []

    async def fetch(self, assignment: Any, node_id: int, request: Any) -> bool:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.open.append(answer)
        return await answer


def _fetcher(answers: _Answers) -> StockFetcher:
    """A fetcher of one partition of one node, which looks by itself after an hour."""
    fetcher = object.__new__(StockFetcher)
    fetcher._closed, fetcher._fetcher_timeout, fetcher._wait_consume_future = True, 3_600.0, None
    fetcher._records, fetcher._fetch_waiters, fetcher._pending_tasks, fetcher._in_flight = {}, set(), set(), set()
    fetcher._subscriptions = SubscriptionState(asyncio.get_running_loop())
    fetcher._subscriptions.assign_from_user([PLACE])
    fetcher._subscriptions.subscription.assignment.state_value(PLACE).seek(0)
    fetcher._select_read_replica = lambda tp: 1
    fetcher._fetch_max_wait_ms = fetcher._fetch_min_bytes = fetcher._fetch_max_bytes = fetcher._max_partition_fetch_bytes = 1
    fetcher._isolation_level, fetcher._client_rack = READ_COMMITTED, ""
    fetcher._proc_fetch_request = answers.fetch
    return fetcher


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_fetch_that_ends_while_records_are_taken_is_followed_by_the_next_one() -> None:
    """In one turn of the loop: the fetch is over first, then the fetcher looks, before the node is taken out."""

    async def fetches() -> int:
        answers = _Answers()
        fetcher = _fetcher(answers)
        wake_when_answered(fetcher)
        routine = asyncio.create_task(fetcher._fetch_requests_routine())
        await _turns(5)
        asyncio.get_running_loop().call_soon(answers.open[0].set_result, False)
        fetcher._notify(fetcher._wait_consume_future)
        await _turns(10)
        routine.cancel()
        return len(answers.open)

    assert asyncio.run(fetches()) == 2
