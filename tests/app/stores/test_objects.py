"""The directory store under several writers: threads of one process share its pid, as containers on one volume may."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.app.stores import file_lock
from assay.app.stores.objects import DirectoryStore, ObjectChanged, ObjectExists
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

WRITERS, ROUNDS = 6, 6
KEY = "evidence/one.json"


def at_once(write: Callable[[DirectoryStore, bytes], object], root: Path) -> list[bool | BaseException]:
    """What every writer met: True for done, False for an object that was there, else the error."""
    met: list[bool | BaseException] = []
    ready = threading.Barrier(WRITERS)

    def writer(number: int) -> None:
        store = DirectoryStore(root)
        ready.wait(30)
        try:
            write(store, bytes([number]) * 100_000)
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
    return met


def is_one_writers(value: bytes) -> bool:
    """The whole value of one writer and nothing of another."""
    return len(value) == 100_000 and len(set(value)) == 1


def test_of_writers_at_once_one_creates_and_the_others_are_refused(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        root = tmp_path / str(number)
        met = at_once(lambda store, data: store.create(KEY, data), root)
        assert sorted(map(str, met)) == ["False"] * (WRITERS - 1) + ["True"]
        assert is_one_writers((root / KEY).read_bytes())
        assert [path.name for path in (root / KEY).parent.iterdir()] == ["one.json"], "a draft was left"


def test_writers_at_once_all_replace_and_the_last_whole_value_stays(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        root = tmp_path / str(number)
        assert at_once(lambda store, data: store.replace(KEY, data), root) == [True] * WRITERS
        assert is_one_writers((root / KEY).read_bytes())
        assert [path.name for path in (root / KEY).parent.iterdir()] == ["one.json"], "a draft was left"


def test_a_write_that_fails_leaves_no_draft(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        DirectoryStore(tmp_path).replace(KEY, "no bytes")  # type: ignore[arg-type]
    assert list((tmp_path / KEY).parent.iterdir()) == []


def test_of_writers_at_once_that_expect_the_same_object_one_swaps_it(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        root = tmp_path / str(number)
        DirectoryStore(root).create(KEY, b"first")
        met = at_once(lambda store, data: store.swap(KEY, data, b"first"), root)
        assert sorted(map(str, met)) == ["False"] * (WRITERS - 1) + ["True"]
        assert is_one_writers((root / KEY).read_bytes())


def test_a_swap_that_another_process_holds_up_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "WRITER_WAIT_S", 0.05)
    store = DirectoryStore(tmp_path)
    store.swap(KEY, b"one", None)
    with (tmp_path / "evidence" / ".one.json.lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Retry) as refused:
            store.swap(KEY, b"two", b"one")
    assert refused.value.reason is Reason.DIRECTORY_BUSY
    assert store.read(KEY) == b"one"
    store.swap(KEY, b"two", b"one")
    assert store.read(KEY) == b"two"
