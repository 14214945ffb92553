"""A disk without room names itself in every part that writes: what did not fit, where, and what helps. What was there stays."""

from __future__ import annotations

import asyncio
import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from assay_command import assay

from assay.agents.faust_shell.apps import exit_code, last_words
from assay.agents.step import Effects
from assay.app.effects.recorder import Recorder
from assay.app.stores.durable import make_directory, replace_file
from assay.app.stores.full import FULL, StoreFull, naming_full
from assay.app.stores.objects import DirectoryStore
from assay.app.stores.segment_journal import SegmentJournal, read_head
from assay.codecs.columns import Strings
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

BIG = b"x" * 8_192


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Only inside of the test: pytest writes its own report, perhaps to a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def an_object(folder: Path) -> None:
    DirectoryStore(folder).create("ig/receipts/seg.ndjson", BIG)


def an_audit_segment(folder: Path) -> None:
    asyncio.run(_appended(SegmentJournal(DirectoryStore(folder))))


async def _appended(journal: SegmentJournal) -> None:
    await journal.append(BIG, 0)


def an_action(folder: Path) -> None:
    keys = np.zeros((200, 32), np.uint8)
    Recorder(folder / "actions.log").record(Effects(keys, Strings.repeat(b"BLOCK", 200), Strings.repeat(b"e", 200), False))


def the_run(folder: Path) -> None:
    replace_file(folder / "run.json", BIG)


@pytest.mark.parametrize("write", [an_object, an_audit_segment, an_action, the_run], ids=lambda write: write.__name__)
def test_who_finds_no_room_says_so_and_leaves_no_half_file(tmp_path: Path, write: Callable[[Path], None]) -> None:
    with files_end_at(4_096), pytest.raises(StoreFull) as full:
        write(tmp_path)
    assert (full.value.reason, full.value.errno) == (Reason.STORE_FULL, errno.EFBIG)
    assert full.value.where.startswith(str(tmp_path))
    assert "Free space" in full.value.remedy
    assert [path for path in tmp_path.rglob("*") if path.is_file() and "actions" not in path.name] == []
    write(tmp_path)
    assert read_head(DirectoryStore(tmp_path)) is None or write is an_audit_segment


def test_a_worker_that_ends_for_want_of_room_says_so_and_may_be_started_again(tmp_path: Path) -> None:
    with files_end_at(4_096), pytest.raises(StoreFull) as full:
        an_audit_segment(tmp_path)
    assert exit_code(full.value) == Retry.kind_code
    assert last_words(full.value).startswith(f"STORE_FULL: there is no room for a file: File too large (at {tmp_path}/audit/segments/")


@pytest.mark.parametrize("number", sorted(FULL))
def test_every_kind_of_no_room_is_named(tmp_path: Path, number: int) -> None:
    with pytest.raises(StoreFull) as full, naming_full(tmp_path):
        raise OSError(number, "none")
    assert (full.value.where, full.value.errno) == (str(tmp_path), number)


def test_another_fault_of_the_disk_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_directory(tmp_path / "file" / "below", tmp_path)


def test_an_import_that_finds_no_room_is_one_line(tmp_path: Path) -> None:
    assert assay("oracle", "generate", "--rows", "5000", "--out", tmp_path / "in.parquet").code == 0
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, before[1]))  # the command inherits it
    try:
        ended = assay("oracle", "import", tmp_path / "in.parquet", "--mapping", "handbook", "--out", tmp_path / "store")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (ended.code, ended.err.count("\n")) == (75, 1), ended.text
    assert ended.err.startswith("assay oracle: STORE_FULL: there is no room for a file: File too large (at ")
    assert str(tmp_path / "store") in ended.err


def test_any_other_file_of_a_command_is_named_too(tmp_path: Path) -> None:
    """Not all files are written by the store; polars has the number of the error in its text only."""
    with files_end_at(16_384):
        ended = assay("oracle", "generate", "--rows", "5000", "--out", tmp_path / "in.csv")
    assert (ended.code, ended.err.count("\n"), f"(at {tmp_path / 'in.csv'})" in ended.err) == (75, 1, True), ended.text
