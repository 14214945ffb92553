"""Buckets that several processes share: the same answers as those of one process, whoever is asked and whoever is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.gate.rates import FULL, Limit, OwnBuckets, RateLimited, Rates
from assay.app.gate.shared_buckets import WAYS, SharedBuckets, key_of, new_table, step
from assay.testing import until

TEN = Limit(10.0, 20.0)
#: takes one item after the other from one bucket, and writes a byte for each that it got
TAKING = """
import os, sys, time
from assay.app.gate.rates import Limit
from assay.app.gate.shared_buckets import SharedBuckets
buckets, limit = SharedBuckets(int(sys.argv[1])), Limit(float(sys.argv[2]), float(sys.argv[3]))
while True:
    if not buckets.take("one", 1, time.monotonic(), limit):
        os.write(1, b".")
"""
#: takes the lock of a set and keeps it
HOLDING = """
import os, sys
from assay.app.gate.shared_buckets import SharedBuckets
buckets = SharedBuckets(int(sys.argv[1]))
assert buckets._lock(0)
os.write(1, b".")
sys.stdin.read()
"""


@pytest.fixture
def table() -> Iterator[int]:
    fd = new_table()
    yield fd
    os.close(fd)


def test_a_view_takes_as_one_process_alone_does_and_sees_what_another_view_took(table: int) -> None:
    one, other = (Rates(TEN, SharedBuckets(table)) for _ in range(2))
    one.take("a", 20, 5.0)
    with pytest.raises(RateLimited, match="in 2 s"):
        other.take("a", 15, 5.0)
    other.take("b", 20, 5.0)
    other.take("a", 15, 7.0)


CALLS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcde"), st.integers(0, 50), st.floats(0.0, 5.0)), max_size=60)


@settings(max_examples=drawn(300))
@given(calls=CALLS, began_s=st.floats(0.0, 1e7))
def test_takes_at_any_views_are_answered_as_those_of_one_process(calls: list[tuple[int, str, int, float]], began_s: float) -> None:
    fd, alone, now_s = new_table(sets=4), OwnBuckets(), began_s
    try:
        views = [SharedBuckets(fd) for _ in range(3)]
        for view, actor, items, pause_s in calls:
            now_s += pause_s
            assert views[view].take(actor, items, now_s, TEN) == alone.take(actor, items, now_s, TEN)
    finally:
        os.close(fd)


class Killed(BaseException):
    """The process ends here."""


class Dying(list[float]):
    """Words of which a process that dies stores so many. All of a table die together."""

    stores = 0

    def __setitem__(self, at: object, value: object) -> None:
        if Dying.stores == 0:
            raise Killed
        Dying.stores -= 1
        super().__setitem__(at, value)  # type: ignore[call-overload]


class Table(NamedTuple):
    """The words of one set."""

    keys: Dying
    full_s: Dying

    def wait_s(self, key: int, items: int, now_s: float) -> float:
        """What a process that lives answers to a call, which takes nothing from the table."""
        return step(list(map(int, self.keys)), list(self.full_s), 0, key, items, now_s, TEN)


#: the debts of the others in the set, by key; a set may be full of them
OTHERS = st.sampled_from((0, 5, WAYS - 1, WAYS)).flatmap(
    lambda count: st.dictionaries(st.integers(2, 99), st.floats(0.0, 10.0), min_size=count, max_size=count)
)


@settings(max_examples=drawn(300))
@given(others=OTHERS, known=st.booleans(), debt_s=st.floats(0.0, 3.0), items=st.integers(1, 60), stores=st.integers(0, 3))
def test_a_process_that_dies_at_any_store_leaves_its_call_taken_or_not_and_nobody_shut_out(
    others: dict[int, float], known: bool, debt_s: float, items: int, stores: int
) -> None:
    held = {**({1: debt_s} if known else {}), **dict(list(others.items())[: WAYS - known])}
    free = WAYS - len(held)
    table = Table(Dying([*held, *[0] * free]), Dying([*held.values(), *[9.0] * free]))  # an empty place has the time of who had it
    before = {key: table.wait_s(key, items, 0.0) for key in held}
    own = OwnBuckets()
    own._full_s["it"] = held.get(1, FULL)
    own.take("it", items, 0.0, TEN)
    allowed = [0.0 if known is False else before[1], own.take("it", items, 0.0, TEN)]
    Dying.stores = stores
    try:
        step(table.keys, table.full_s, 0, 1, items, 0.0, TEN)  # type: ignore[arg-type]
    except Killed:
        pass
    finally:
        Dying.stores = -1
    assert table.wait_s(1, items, 0.0) in allowed, "the bucket of before or of after"
    changed = {key: wait_s for key in before if key != 1 and (wait_s := table.wait_s(key, items, 0.0)) != before[key]}
    fullest = {key for key, full_s in held.items() if full_s == min(held.values())}
    assert changed.keys() <= (set() if known or free else fullest), "nobody else's bucket, but that whose place it takes"
    assert set(changed.values()) <= {0.0}, "who has no place any more is forgotten, and pays nobody's debt"


def test_in_a_full_set_the_bucket_that_is_full_first_makes_place() -> None:
    keys, full_s = list(range(2, WAYS + 2)), [float(at) for at in range(WAYS, 0, -1)]
    assert step(keys, full_s, 0, 1, 20, 0.5, TEN) == 0
    assert (keys[-1], full_s[-1]) == (1, 2.5)
    assert keys[:-1] == list(range(2, WAYS + 1))
    assert step(keys, full_s, 0, WAYS + 1, 20, 0.5, TEN) == 0, "who was forgotten has a full bucket"


def test_any_name_has_a_key_and_no_two_of_many_the_same() -> None:
    keys = {key_of(f"SYSTEM::{number}") for number in range(10_000)}
    assert len(keys) == 10_000
    assert 0 not in keys
    assert key_of("\udcff") != key_of("")


def test_ten_thousand_actors_are_remembered(table: int) -> None:
    buckets = SharedBuckets(table)
    assert [buckets.take(f"a{number}", 20, 0.0, TEN) for number in range(10_000)] == [0.0] * 10_000
    assert [buckets.take(f"a{number}", 20, 0.0, TEN) for number in range(10_000)] == [2.0] * 10_000


@contextmanager
def running(program: str, *arguments: object, fd: int) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-c", program, str(fd), *map(str, arguments)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[fd])
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def out_of(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def test_processes_that_take_as_fast_as_they_can_get_one_limit_together_though_they_are_killed(table: int) -> None:
    """The first and each that takes the place of a killed one: what these took stays taken."""
    limit, got, began_s = Limit(300.0, 200.0), 0, time.monotonic()
    for _ in range(4):
        with running(TAKING, *limit, fd=table) as one, running(TAKING, *limit, fd=table) as other:
            for process in (one, other):
                got += len(out_of(process).read(60))
            for process in (one, other):
                process.kill()
                got += len(out_of(process).read())
    assert got >= 480
    assert got <= limit.burst + limit.per_s * (time.monotonic() - began_s) + 1
    buckets = SharedBuckets(table)
    until(lambda: not buckets.take("one", 1, time.monotonic(), limit), 30)


def test_a_process_that_was_stopped_with_the_lock_is_passed_by_and_one_that_was_killed_has_it_no_more(table: int) -> None:
    buckets = SharedBuckets(table)
    actor = next(name for name in map(str, range(100_000)) if key_of(name) % 4_096 == 0)
    assert buckets.take(actor, 0, 0.0, TEN) == 0, "the lock is given back behind a call"
    with running(HOLDING, fd=table) as holder:
        assert out_of(holder).read(1)
        assert not buckets._lock(0)
        assert buckets.take(actor, 20, 0.0, TEN) == 0
        assert buckets.take(actor, 20, 0.0, TEN) == 2
    assert buckets._lock(0)
