"""The directory store under several writers: threads of one process share its pid, as containers on one volume may."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from object_laws import ROUNDS, WRITERS, Write, at_once

from assay.app.stores import file_lock
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

SIZE = 100_000
KEY = "evidence/one.json"


def writers(root: Path, write: Write) -> list[bool]:
    """Whether each of several writers of large objects in a directory was done."""
    return at_once(lambda: DirectoryStore(root), write, SIZE)


def is_one_writers(value: bytes) -> bool:
    """The whole value of one writer and nothing of another."""
    return len(value) == SIZE and len(set(value)) == 1


def test_of_writers_at_once_one_creates_and_the_others_are_refused(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        root = tmp_path / str(number)
        met = writers(root, lambda store, data: store.create(KEY, data))
        assert sorted(met) == [False] * (WRITERS - 1) + [True]
        assert is_one_writers((root / KEY).read_bytes())
        assert [path.name for path in (root / KEY).parent.iterdir()] == ["one.json"], "a draft was left"


def test_writers_at_once_all_replace_and_the_last_whole_value_stays(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        root = tmp_path / str(number)
        assert writers(root, lambda store, data: store.replace(KEY, data)) == [True] * WRITERS
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
        met = writers(root, lambda store, data: store.swap(KEY, data, b"first"))
        assert sorted(met) == [False] * (WRITERS - 1) + [True]
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
