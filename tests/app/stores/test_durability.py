"""What is acknowledged is on the disk: every write is flushed before anybody can rely on it, and so is the entry of a new file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from assay.agents.step import Effects
from assay.app.effects.recorder import Recorder
from assay.app.gate.segments import SegmentLog
from assay.app.stores.durable import create_file
from assay.app.stores.objects import DirectoryStore
from assay.app.stores.segment_journal import HEAD, SegmentJournal, segment_key
from assay.codecs.columns import Strings

KEY = "folder/object"


class Flush(NamedTuple):
    """A file or directory that was flushed to the disk, with what it held and which files could be found then."""

    inode: int
    size: int
    found: frozenset[str]


class Disk:
    """Notes every flush below a folder; what is flushed is flushed all the same."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.flushes: list[Flush] = []

    def noting(self, flush: Callable[[int], None]) -> Callable[[int], None]:
        """A flush of the system that is noted."""

        def noted(handle: int) -> None:
            flush(handle)
            state = os.fstat(handle)
            found = {path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if not path.name.startswith(".")}
            self.flushes.append(Flush(state.st_ino, state.st_size, frozenset(found)))

        return noted

    def of(self, name: str) -> list[Flush]:
        """Flushes of one file or directory, by the name it has now."""
        inode = (self.root / name).stat().st_ino
        return [flush for flush in self.flushes if flush.inode == inode]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    noted = Disk(tmp_path)
    for name, flush in (("fsync", os.fsync), ("fdatasync", os.fdatasync)):
        monkeypatch.setattr(f"os.{name}", noted.noting(flush))
    return noted


def _create(store: DirectoryStore) -> None:
    store.create(KEY, b"whole")


def _create_from_blocks(store: DirectoryStore) -> None:
    store.create_from(KEY, [b"who", b"le"])


def _replace(store: DirectoryStore) -> None:
    store.replace(KEY, b"whole")


def _swap(store: DirectoryStore) -> None:
    store.swap(KEY, b"whole", None)


@pytest.mark.parametrize("write", [_create, _create_from_blocks, _replace, _swap])
def test_an_object_is_whole_on_the_disk_before_it_can_be_found_and_its_entry_is_before_the_write_returns(
    write: Callable[[DirectoryStore], None], disk: Disk
) -> None:
    write(DirectoryStore(disk.root))
    (whole,) = disk.of(KEY)
    assert (whole.size, KEY in whole.found) == (5, False)
    assert [KEY in flush.found for flush in disk.of("folder")] == [True]
    assert disk.flushes.index(whole) < disk.flushes.index(disk.of("folder")[0])


@pytest.mark.parametrize("write", [_replace, lambda store: store.swap(KEY, b"whole", b"before!")])
def test_an_object_that_takes_the_place_of_another_is_on_the_disk_first(write: Callable[[DirectoryStore], None], disk: Disk) -> None:
    store = DirectoryStore(disk.root)
    store.create(KEY, b"before!")
    disk.flushes.clear()
    write(store)
    assert store.read(KEY) == b"whole"
    assert [flush.size for flush in disk.of(KEY)] == [5]
    assert len(disk.of("folder")) == 1


def test_a_new_file_is_whole_on_the_disk_before_it_can_be_found_and_takes_no_other_ones_place(disk: Disk) -> None:
    (disk.root / "folder").mkdir()
    create_file(disk.root / KEY, b"whole")
    (whole,) = disk.of(KEY)
    assert (whole.size, KEY in whole.found) == (5, False)
    assert [KEY in flush.found for flush in disk.of("folder")] == [True]
    with pytest.raises(FileExistsError):
        create_file(disk.root / KEY, b"other")
    assert [path.read_bytes() for path in (disk.root / "folder").iterdir()] == [b"whole"]


def test_a_segment_of_the_audit_is_on_the_disk_before_the_head_names_it_and_both_before_it_is_acknowledged(disk: Disk) -> None:
    journal = SegmentJournal(DirectoryStore(disk.root))

    async def appended() -> None:
        assert await (await journal.append(b"segment", 0)) == 0

    asyncio.run(appended())
    (segment,), (head,) = disk.of(segment_key(0)), disk.of(HEAD)
    assert disk.flushes.index(segment) < disk.flushes.index(head)
    assert segment_key(0) in head.found
    assert len(disk.of("audit/segments")) == len(disk.of("evidence")) == 1


def effects(*events: str) -> Effects:
    """Actions on these events."""
    n = len(events)
    keys = np.arange(32 * n, dtype=np.uint8).reshape(n, 32)
    return Effects(keys, Strings.repeat(b"ALLOW", n), Strings.of(list(events)), ask_first=False)


def test_a_recorded_action_is_on_the_disk_before_it_is_answered(disk: Disk) -> None:
    log = disk.root / "actions" / "recorded.log"
    recorder = Recorder(log)
    sizes = []
    for event in ("a", "b"):
        recorder.record(effects(event))
        sizes.append(log.stat().st_size)
    assert [flush.size for flush in disk.of("actions/recorded.log")] == sizes
    assert "actions/recorded.log" in disk.of("actions")[0].found, "the entry of a new file is flushed too"


def test_a_later_writer_notes_on_the_disk_how_far_the_one_before_it_counts(disk: Disk) -> None:
    log = disk.root / "recorded.log"
    Recorder(log).record(effects("a"))
    Recorder(log).record(effects("b"))
    note, line = disk.of("recorded.log.2")
    assert 0 < note.size < line.size


def test_receipts_are_on_the_disk_before_a_call_is_answered(disk: Disk) -> None:
    spool = disk.root / "spool" / "receipts.ndjson"
    log = SegmentLog(DirectoryStore(disk.root / "store"), "ig/receipts", spool)
    assert "spool/receipts.ndjson" in disk.of("spool")[0].found, "the entry of a new file is flushed too"
    sizes = []
    for lines in (["one"], ["two", "three"]):
        log.append(lines)
        sizes.append(spool.stat().st_size)
    assert [flush.size for flush in disk.of("spool/receipts.ndjson")] == sizes
    log.probe()
    assert [flush.size for flush in disk.of("spool/receipts.probe")] == [4096], "a disk that only takes bytes is not well"


def test_sealed_receipts_are_on_the_disk_before_the_file_that_was_closed_goes(disk: Disk) -> None:
    log = SegmentLog(DirectoryStore(disk.root / "store"), "ig/receipts", disk.root / "spool" / "receipts.ndjson")
    log.append(["one"])
    log.seal()
    sealed = "store/ig/receipts/seg-000000000000-000001.ndjson"
    closed = "spool/receipts.closed-00000001.ndjson"
    named, emptied, gone = (flush.found for flush in disk.of("spool")[-3:])
    assert [closed in found for found in (named, emptied, gone)] == [True, True, False]
    assert [sealed in found for found in (named, emptied, gone)] == [False, False, True]
    assert disk.flushes.index(disk.of(sealed)[0]) < disk.flushes.index(disk.of("spool")[-1])
