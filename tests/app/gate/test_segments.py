"""Append-only segments: durable, whole, and whole again after a crash."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assay.app.gate.segments import SegmentLog
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason


def log_in(room: Path, segment_bytes: int = 1_000) -> SegmentLog:
    return SegmentLog(DirectoryStore(room / "store"), "ig/receipts", room / "spool" / "open.ndjson", segment_bytes)


def sealed(room: Path) -> dict[str, str]:
    store = DirectoryStore(room / "store")
    return {key.rpartition("/")[2]: store.read(key).decode() for key in store.keys("ig/receipts")}


def test_a_full_segment_becomes_an_object_named_by_its_first_line_and_length(tmp_path: Path) -> None:
    log = log_in(tmp_path, segment_bytes=6)
    log.append(["one", "two"])
    log.append(["three"])
    log.close()
    assert sealed(tmp_path) == {"seg-000000000000-000002.ndjson": "one\ntwo\n", "seg-000000000002-000001.ndjson": "three\n"}


def test_nothing_is_written_for_nothing(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.append([])
    log.close()
    assert sealed(tmp_path) == {}


def test_a_torn_last_line_is_cut_and_the_rest_goes_on(tmp_path: Path) -> None:
    log_in(tmp_path).append(["one", "two"])
    with (tmp_path / "spool" / "open.ndjson").open("a") as file:
        file.write("thr")
    again = log_in(tmp_path)
    again.append(["four"])
    again.close()
    assert sealed(tmp_path) == {"seg-000000000000-000002.ndjson": "one\ntwo\n", "seg-000000000002-000001.ndjson": "four\n"}


def test_a_crash_between_sealing_and_emptying_seals_once(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.append(["one"])
    log.close()
    (tmp_path / "spool" / "open.ndjson").write_text("one\n")
    again = log_in(tmp_path)
    again.append(["two"])
    again.close()
    assert sealed(tmp_path) == {"seg-000000000000-000001.ndjson": "one\n", "seg-000000000001-000001.ndjson": "two\n"}


@contextmanager
def files_end_at_4096_bytes() -> Iterator[None]:
    """Only inside the test: pytest writes its own report, perhaps to a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@files_end_at_4096_bytes()
def test_lines_that_do_not_fit_are_refused_whole_and_what_was_durable_stays(tmp_path: Path) -> None:
    log = log_in(tmp_path, segment_bytes=100_000)
    log.append(["kept"])
    with pytest.raises(Retry) as refusal:
        log.append(["x" * 3_000, "y" * 3_000])
    assert (refusal.value.reason, refusal.value.where) == (Reason.STORE_FULL, str(tmp_path / "spool" / "open.ndjson"))
    log.append(["after"])
    assert (tmp_path / "spool" / "open.ndjson").read_text() == "kept\nafter\n"


def test_lines_that_cannot_be_sealed_are_sealed_by_the_next_start(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.append(["one"])
    (tmp_path / "store").write_text("a file where the store should be")
    log.close()
    (tmp_path / "store").unlink()
    log_in(tmp_path).close()
    assert sealed(tmp_path) == {"seg-000000000000-000001.ndjson": "one\n"}


def deleted(file: Path) -> None:
    file.unlink()


def deleted_with_its_folder(file: Path) -> None:
    file.unlink()
    file.parent.rmdir()


def replaced(file: Path) -> None:
    file.unlink()
    file.write_text("somebody else's\n")


@pytest.mark.parametrize("harm", [deleted, deleted_with_its_folder, replaced])
def test_lines_whose_file_was_taken_away_are_refused_and_what_was_durable_comes_back(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    log, file = log_in(tmp_path), tmp_path / "spool" / "open.ndjson"
    log.append(["one"])
    harm(file)
    with pytest.raises(Retry) as refusal:
        log.append(["two"])
    assert refusal.value.reason is Reason.RECEIPT_NOT_DURABLE
    assert "deleted or replaced" in refusal.value.what
    assert file.read_text() == "one\n"
    log.append(["two"])
    assert file.read_text() == "one\ntwo\n"
    log.close()
    assert sealed(tmp_path) == {"seg-000000000000-000002.ndjson": "one\ntwo\n"}


@pytest.mark.parametrize("harm", [deleted, deleted_with_its_folder, replaced])
def test_a_file_that_was_taken_away_is_sealed_from_what_is_open(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    log = log_in(tmp_path)
    log.append(["one"])
    harm(tmp_path / "spool" / "open.ndjson")
    log.close()
    assert sealed(tmp_path) == {"seg-000000000000-000001.ndjson": "one\n"}


def test_lines_that_cannot_be_put_back_yet_are_held_until_they_can(tmp_path: Path) -> None:
    log, folder = log_in(tmp_path), tmp_path / "spool"
    log.append(["one"])
    deleted_with_its_folder(folder / "open.ndjson")
    folder.write_text("a file where the folder should be")
    for _ in range(2):
        with pytest.raises(Retry):
            log.append(["two"])
    folder.unlink()
    with pytest.raises(Retry):
        log.append(["two"])
    log.append(["two"])
    assert (folder / "open.ndjson").read_text() == "one\ntwo\n"


def test_a_probe_makes_the_folder_that_was_deleted(tmp_path: Path) -> None:
    """A gate that is RED takes no call, and only a call would bring the folder back."""
    log = log_in(tmp_path)
    deleted_with_its_folder(tmp_path / "spool" / "open.ndjson")
    log.probe()
    assert (tmp_path / "spool").is_dir()


@files_end_at_4096_bytes()
def test_a_disk_that_takes_a_page_is_well(tmp_path: Path) -> None:
    log_in(tmp_path).probe()


def test_a_file_that_cannot_be_opened_again_is_a_reason_to_try_later(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.append(["one"])
    log.close()
    (tmp_path / "spool" / "open.ndjson").unlink()
    (tmp_path / "spool").rmdir()
    (tmp_path / "spool").write_text("a file where the folder should be")
    with pytest.raises(Retry) as refusal:
        log.append(["two"])
    assert refusal.value.reason is Reason.RECEIPT_NOT_DURABLE
    (tmp_path / "spool").unlink()
    log.append(["two"])
    log.close()
    assert sealed(tmp_path) == {"seg-000000000000-000001.ndjson": "one\n", "seg-000000000001-000001.ndjson": "two\n"}
