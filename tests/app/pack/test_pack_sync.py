"""A pack is copied object by object, each once, and goes on where it was cut off; nobody reads a copy that is not whole."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from assay_command import assay
from planted_worlds import NOW_US, made

from assay.app.pack.checking import ARTEFACT, check_pack, settle
from assay.app.pack.sealed_pack import SEAL, open_pack
from assay.app.pack.sync import SNAPSHOT, sync_pack
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Stop
from assay.contracts.gates import FLAG
from assay.contracts.reasons import Reason


class Cut(BaseException):
    """The process ended here."""


class Counting(DirectoryStore):
    """A target that counts what is copied to it, and ends its process after so many objects."""

    def __init__(self, root: Path, most: int = 1_000_000) -> None:
        super().__init__(root)
        self.most, self.written, self.tried = most, list[str](), list[str]()
        self._gate = threading.Lock()

    def create_from(self, key: str, blocks: Iterable[bytes | memoryview]) -> None:
        with self._gate:
            self.tried.append(key)
            if len(self.written) >= self.most:
                raise Cut(key)
            super().create_from(key, blocks)
            self.written.append(key)


@pytest.fixture
def source(tmp_path: Path) -> DirectoryStore:
    """A sealed world, with one whole view and one that is being made."""
    store = DirectoryStore(tmp_path / "source")
    made(store)
    store.create("stream_view/ts_utc/output_id=a/part-000000.parquet", b"rows")
    store.create("stream_view/ts_utc/output_id=a/_stream_sort_receipt.json", b"{}")
    store.create("stream_view/ts_utc/output_id=b/part-000000.parquet", b"rows")
    return store


def objects_of(store: DirectoryStore) -> dict[str, bytes]:
    """What a copy must have, and what it has."""
    return {key: store.read(key) for key in store.keys("") if key not in (SNAPSHOT, ARTEFACT) and "output_id=b" not in key}


def test_a_copy_has_the_objects_of_the_pack_and_what_is_to_be_copied_is_written_first(source: DirectoryStore, tmp_path: Path) -> None:
    assert settle(source, check_pack(source), NOW_US)
    target = Counting(tmp_path / "target", most=0)
    with pytest.raises(Cut):
        sync_pack(source, target)
    assert list(target.keys("")) == [SNAPSHOT]
    listed = json.loads(target.read(SNAPSHOT))["objects"]
    assert sorted(one["key"] for one in listed) == sorted(objects_of(source))
    assert all(one["size"] == len(source.read(one["key"])) for one in listed)
    target.most = 1_000
    done = sync_pack(source, target)
    assert objects_of(target) == objects_of(source)
    assert (done.objects, done.copied, done.copied_bytes) == (len(listed), len(listed), sum(one["size"] for one in listed))
    assert target.written[-1] == SEAL
    assert not (target.root / ARTEFACT).exists(), "a copy is checked by itself"
    assert check_pack(target).status == "OK"


@pytest.mark.parametrize("most", [1, 7, 20])
def test_a_call_after_a_cut_copies_the_rest_alone(source: DirectoryStore, tmp_path: Path, most: int) -> None:
    target = Counting(tmp_path / "target", most)
    with pytest.raises(Cut):
        sync_pack(source, target)
    assert len(target.written) == most
    with pytest.raises(Stop):
        open_pack(target)
    first, again = list(target.written), Counting(tmp_path / "target")
    done = sync_pack(source, again)
    assert done.copied == len(again.written) == done.objects - most
    assert not {*first} & {*again.written}
    assert objects_of(target) == objects_of(source)
    once_more = Counting(tmp_path / "target")
    assert (sync_pack(source, once_more).copied, once_more.tried) == (0, [])


def test_readers_are_let_in_after_what_they_read(source: DirectoryStore, tmp_path: Path) -> None:
    target = Counting(tmp_path / "target")
    sync_pack(source, target)
    place = {key: number for number, key in enumerate(target.written)}
    flag = next(key for key in place if key.endswith(FLAG))
    assert all(place[key] < place[flag] for key in place if key.startswith("data/") and key != flag)
    view = "stream_view/ts_utc/output_id=a/"
    assert place[f"{view}part-000000.parquet"] < place[f"{view}_stream_sort_receipt.json"] < place[SEAL]


def test_a_view_that_came_later_is_copied_by_a_later_call(source: DirectoryStore, tmp_path: Path) -> None:
    sync_pack(source, DirectoryStore(tmp_path / "target"))
    source.create("stream_view/ts_utc/output_id=b/_stream_sort_receipt.json", b"{}")
    target = Counting(tmp_path / "target")
    assert sync_pack(source, target).copied == 2
    assert all("output_id=b" in key for key in target.written)


class Changing(DirectoryStore):
    """A target whose disk changes a file on arrival."""

    def create_from(self, key: str, blocks: Iterable[bytes | memoryview]) -> None:
        super().create_from(key, [*blocks, b"x"] if key.endswith(".parquet") else blocks)


def test_what_arrives_changed_is_refused(source: DirectoryStore, tmp_path: Path) -> None:
    with pytest.raises(Stop) as refused:
        sync_pack(source, Changing(tmp_path / "target"))
    assert refused.value.reason is Reason.DIGEST_MISMATCH
    assert not (tmp_path / "target" / SEAL).exists()


@pytest.mark.parametrize(("damage", "reason"), [("changed", Reason.DIGEST_MISMATCH), ("gone", Reason.OBJECT_MISSING)])
def test_a_damaged_source_is_not_sealed_elsewhere(source: DirectoryStore, tmp_path: Path, damage: str, reason: Reason) -> None:
    path = next((source.root / "data").rglob("part-000001.parquet"))
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(Stop) as refused:
        sync_pack(source, DirectoryStore(tmp_path / "target"))
    assert refused.value.reason is reason
    assert not (tmp_path / "target" / SEAL).exists()
    assert not (tmp_path / "target" / path.relative_to(source.root)).exists()


@pytest.mark.parametrize(
    ("key", "data"),
    [(SNAPSHOT, b'{"oracle_pack_id": "1"}'), (SEAL, b'{"oracle_pack_id": "1"}'), (SEAL, b"{"), ("run_receipt.json", b"{}")],
)
def test_a_pack_is_not_copied_over_another(source: DirectoryStore, tmp_path: Path, key: str, data: bytes) -> None:
    target = DirectoryStore(tmp_path / "target")
    target.create(key, data)
    with pytest.raises(Stop) as refused:
        sync_pack(source, target)
    assert refused.value.reason is (Reason.DIGEST_MISMATCH if key == "run_receipt.json" else Reason.MANIFEST_MISMATCH)
    assert target.read(key) == data


def test_nothing_is_copied_of_a_pack_without_a_seal(source: DirectoryStore, tmp_path: Path) -> None:
    (source.root / SEAL).unlink()
    with pytest.raises(Stop) as refused:
        sync_pack(source, DirectoryStore(tmp_path / "target"))
    assert refused.value.reason is Reason.PACK_NOT_SEALED
    assert not (tmp_path / "target").exists()


def test_the_command_says_what_it_copied(source: DirectoryStore, tmp_path: Path) -> None:
    ended = assay("oracle", "sync", source.root, tmp_path / "copy")
    objects = len(objects_of(source))
    assert ended.code == 0 and f"copied {objects} of {objects} objects" in ended.out and "0 were there" in ended.out, ended.text
    ended = assay("oracle", "sync", source.root, tmp_path / "copy", "--json")
    assert json.loads(ended.out)["copied"] == 0
    assert assay("oracle", "sync", tmp_path / "nowhere", tmp_path / "copy").code == 66
