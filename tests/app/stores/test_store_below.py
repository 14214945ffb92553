"""The objects below a prefix are a store of their own: nothing outside of it is seen or touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.app.stores.below import StoreBelow
from assay.app.stores.objects import DirectoryStore, ObjectChanged, ObjectExists


def test_objects_lie_below_the_prefix_and_others_are_not_seen(tmp_path: Path) -> None:
    whole = DirectoryStore(tmp_path)
    whole.create("worlds/b/x", b"other")
    whole.create("worlds/ab", b"beside")
    store = StoreBelow(whole, "worlds/a/")
    store.create("x", b"1")
    store.replace("y/z", b"2")
    store.swap("y/z", b"3", b"2")
    assert (store.read("x"), store.read("y/z")) == (b"1", b"3")
    assert list(store.keys("")) == ["x", "y/z"]
    assert list(store.keys("y")) == ["y/z"]
    assert list(whole.keys("worlds/a")) == ["worlds/a/x", "worlds/a/y/z"]


def test_conditions_of_writes_hold_below_the_prefix_too(tmp_path: Path) -> None:
    store = StoreBelow(DirectoryStore(tmp_path), "a")
    store.create("x", b"1")
    with pytest.raises(ObjectExists):
        store.create("x", b"2")
    with pytest.raises(ObjectChanged):
        store.swap("x", b"2", b"0")
    with pytest.raises(FileNotFoundError):
        store.read("y")


def test_what_is_seen_below_is_made_durable(tmp_path: Path) -> None:
    told: list[str] = []

    class Told(DirectoryStore):
        def make_durable(self, prefix: str) -> None:
            told.append(prefix)

    StoreBelow(Told(tmp_path), "a").make_durable("b")
    StoreBelow(Told(tmp_path), "a").make_durable("")
    assert told == ["a/b", "a"]
