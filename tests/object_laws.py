"""What every object store keeps to: laws as functions of a maker, which opens the same empty store for each of several writers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from oracles.examples import examples

from assay.app.governance import SCHEMA
from assay.app.stores.json_lines import JsonLines, Line
from assay.app.stores.objects import ObjectChanged, ObjectExists, SizedObjects

Maker = Callable[[], SizedObjects]
Law = Callable[[Maker], None]
Write = Callable[[SizedObjects, bytes], object]

WRITERS, ROUNDS = 6, 6
KEY = "data/seed=7/one.bin"
#: more than a part of an upload, and no whole number of parts
LARGE = 9 * 2**20 + 5
LAWS: list[Law] = []
#: a line of some file
EVENT = next(example.value for example in examples("governance_event") if example.reason is None)


def law(function: Law) -> Law:
    """List a law."""
    LAWS.append(function)
    return function


def blocks(size: int) -> Iterator[bytes]:
    """That many bytes in blocks of odd sizes, which differ from place to place."""
    made = bytes(range(251)) * (size // 251 + 1)
    for start in range(0, size, 1_000_003):
        yield made[start : min(start + 1_000_003, size)]


@law
def an_object_is_created_once(open_store: Maker) -> None:
    store = open_store()
    for key, data in ((KEY, b"first"), ("empty", b"")):
        store.create(key, data)
        with pytest.raises(ObjectExists):
            open_store().create(key, b"second")
        with pytest.raises(ObjectExists):
            open_store().create_from(key, [b"sec", b"ond"])
        assert (store.read(key), bytes(store.view(key))) == (data, data)


@law
def a_large_object_is_created_once_and_whole(open_store: Maker) -> None:
    store, whole = open_store(), b"".join(blocks(LARGE))
    store.create_from(KEY, blocks(LARGE))
    with pytest.raises(ObjectExists):
        open_store().create_from(KEY, blocks(LARGE + 1))
    assert store.read(KEY) == whole
    assert bytes(store.view(KEY)) == whole
    assert store.size(KEY) == LARGE
    store.create_from("small", [memoryview(b"ab"), b"", b"c"])
    store.create_from("none", [])
    assert (store.read("small"), store.read("none")) == (b"abc", b"")


def _cut(size: int) -> Iterator[bytes]:
    yield from blocks(size)
    raise ZeroDivisionError


@law
def nothing_is_left_of_blocks_that_raise(open_store: Maker) -> None:
    for size in (10, LARGE):
        store = open_store()
        with pytest.raises(ZeroDivisionError):
            store.create_from(KEY, _cut(size))
        with pytest.raises(FileNotFoundError):
            store.read(KEY)
        assert list(store.keys("")) == []
    store.create_from(KEY, blocks(10))


@law
def an_object_is_replaced_whole(open_store: Maker) -> None:
    store = open_store()
    for data in (b"longer than", b"another"):
        store.replace(KEY, data)
        assert open_store().read(KEY) == data


@law
def a_swap_wants_the_object_that_it_expects(open_store: Maker) -> None:
    store = open_store()
    with pytest.raises(ObjectChanged):
        store.swap(KEY, b"1", b"0")
    store.swap(KEY, b"1", None)
    for expected in (None, b"0", b""):
        with pytest.raises(ObjectChanged):
            open_store().swap(KEY, b"2", expected)
    assert store.read(KEY) == b"1"
    open_store().swap(KEY, b"2", b"1")
    assert store.read(KEY) == b"2"


@law
def keys_are_those_below_a_folder_in_their_order(open_store: Maker) -> None:
    store = open_store()
    written = ["a/2", "a/10", "a/b=1/c.x", "a-b", "ab/1", "é/1", "z"]
    for key in written:
        store.create(key, key.encode())
    assert list(store.keys("")) == sorted(written)
    assert list(store.keys("a")) == list(store.keys("a/")) == ["a/10", "a/2", "a/b=1/c.x"]
    assert list(store.keys("a/b=1")) == ["a/b=1/c.x"]
    assert list(store.keys("z")) == list(store.keys("none")) == []


@law
def what_is_not_there_cannot_be_read(open_store: Maker) -> None:
    store = open_store()
    store.create("a/b", b"")
    for key in (KEY, "a/c"):
        for read in (store.read, store.view, store.size):
            with pytest.raises(FileNotFoundError):
                read(key)


@law
def bytes_are_counted_below_a_folder(open_store: Maker) -> None:
    store = open_store()
    for key, size in (("a/1", 3), ("a/b/2", 40), ("ab/3", 500), ("c", 0)):
        store.create(key, b"1" * size)
    assert [store.size_below(folder) for folder in ("a", "ab", "none", "")] == [43, 500, 0, 543]


@law
def what_is_removed_is_gone_and_can_be_made_again(open_store: Maker) -> None:
    store = open_store()
    for key in ("a/1", "a/b/2", "ab/3", "c"):
        store.create(key, b"1")
    store.remove("c")
    store.remove("c")
    store.remove("never/was")
    store.remove_below("a")
    store.remove_below("never")
    store.make_durable("")
    assert list(store.keys("")) == ["ab/3"]
    store.create("c", b"2")
    assert store.read("c") == b"2"


def at_once(open_store: Maker, write: Write, size: int = 1_000) -> list[bool]:
    """Whether each writer's write was done, of writers that begin at once; each writes so many bytes, all its own."""
    met: list[bool | BaseException] = []
    ready = threading.Barrier(WRITERS)

    def writer(number: int) -> None:
        store = open_store()
        ready.wait(30)
        try:
            write(store, bytes([number]) * size)
            met.append(True)
        except (ObjectExists, ObjectChanged):
            met.append(False)
        except BaseException as error:  # noqa: BLE001 - whatever a writer meets is the finding
            met.append(error)

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(isinstance(one, bool) for one in met), met
    return [one is True for one in met]


def _raced(open_store: Maker, write: Callable[[SizedObjects, str, bytes], object], first: bytes | None, rounds: int = ROUNDS) -> None:
    store = open_store()
    for number in range(rounds):
        key = f"race/{number}"
        if first is not None:
            store.create(key, first)
        won = at_once(open_store, lambda writers, data, key=key: write(writers, key, data))  # type: ignore[misc]
        assert sorted(won) == [False] * (WRITERS - 1) + [True], f"round {number}: {sum(won)} writers won"
        assert len({*store.read(key)}) == 1, "an object is one writer's"


@law
def of_writers_at_once_one_creates(open_store: Maker) -> None:
    _raced(open_store, lambda store, key, data: store.create(key, data), None)


@law
def of_writers_of_large_objects_at_once_one_creates(open_store: Maker) -> None:
    def write(store: SizedObjects, key: str, data: bytes) -> None:
        store.create_from(key, (data * 1_000 for _ in range(9)))

    _raced(open_store, write, None, rounds=2)


@law
def of_writers_at_once_that_expect_one_object_one_swaps(open_store: Maker) -> None:
    _raced(open_store, lambda store, key, data: store.swap(key, data, b"first"), b"first")


@law
def of_writers_at_once_that_expect_no_object_one_swaps(open_store: Maker) -> None:
    _raced(open_store, lambda store, key, data: store.swap(key, data, None), None)


@law
def lines_that_several_append_at_once_are_all_there_once_in_one_order(open_store: Maker) -> None:
    def write(store: SizedObjects, number: bytes) -> None:
        lines = JsonLines(store, "lines.jsonl", SCHEMA)
        for name in ("shared", str(number[0])):
            lines.append(lambda held, name=name: None if name in _keys(held) else {**EVENT, "dedupe_key": name})  # type: ignore[misc]

    at_once(open_store, write)
    written = _keys(JsonLines(open_store(), "lines.jsonl", SCHEMA).read())
    assert sorted(written) == sorted(["shared", *map(str, range(WRITERS))])


def _keys(lines: Sequence[Line]) -> list[str]:
    return [line["dedupe_key"] for line in lines]
