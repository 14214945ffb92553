"""What is due is sealed: by age where other machines look, when it rests, when it is full."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from proven_runs import make_run

from assay.app.gate.receipts import RECEIPTS
from assay.app.gate.sealing import Sealing
from assay.app.gate.segments import SegmentLog
from assay.app.gate.spool import OPEN, closed_files, closed_name, placed, spool_of, unsealed, unseen, written
from assay.app.run.directory import Run
from assay.app.stores.objects import DirectoryStore
from assay.testing import until


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """At 100 s."""
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[SegmentLog]:
    """An empty log in a directory."""
    made = SegmentLog(DirectoryStore(tmp_path / "store"), RECEIPTS, spool_of(tmp_path, RECEIPTS), 10, clock)
    yield made
    made.close()


def test_nothing_is_due_of_nothing(log: SegmentLog) -> None:
    log.rest()
    assert not log.due(5.0)


def test_a_line_is_due_by_the_age_of_the_oldest(log: SegmentLog, clock: Clock) -> None:
    log.append(["1"])
    clock.now_s = 104.9
    log.append(["2"])
    assert (log.due(5.0), log.due(0.0)) == (False, False)
    clock.now_s = 105.0
    assert (log.due(5.0), log.due(0.0)) == (True, False), "without an age nothing is old"
    log.seal()
    assert not log.due(5.0)
    clock.now_s = 300.0
    log.append(["3"])
    assert not log.due(5.0)


def test_lines_that_rest_are_due_until_another_comes(log: SegmentLog) -> None:
    log.append(["1"])
    log.rest()
    assert log.due(0.0)
    log.append(["2"])
    assert not log.due(0.0)


def test_a_full_file_is_due(log: SegmentLog) -> None:
    log.append(["0123456789"])
    log.append(["1"])
    assert (log.due(0.0), log.waiting) == (True, 1)


def test_lines_are_read_in_their_order_wherever_they_are(log: SegmentLog, tmp_path: Path) -> None:
    store, spool = DirectoryStore(tmp_path / "store"), spool_of(tmp_path, RECEIPTS)
    log.append(["sealed"])
    log.seal()
    log.append(["closed, and longer"])
    log.append(["open"])
    with spool.open("a") as file:
        file.write("torn" + "\0" * 8 + "behind a gap\n")
    assert list(written(store, tmp_path, RECEIPTS)) == [b"sealed\n", b"closed, and longer\n", b"open\n"]
    assert unsealed(tmp_path, RECEIPTS) == [b"closed, and longer\n", b"open\n"]
    (key,) = store.keys(RECEIPTS)
    assert [at for at, _ in placed(store, tmp_path, RECEIPTS)] == [key, "", ""]
    assert [at for at, _ in placed(store, tmp_path, RECEIPTS, {key})] == ["", ""], "what is ruled out is not read"


def test_a_closed_file_that_is_in_the_store_is_read_once(log: SegmentLog, tmp_path: Path) -> None:
    """Its gate was killed before it could remove the file."""
    log.append(["sealed"])
    log.seal()
    closed_name(spool_of(tmp_path, RECEIPTS), 1).write_bytes(b"sealed\n")
    assert list(written(DirectoryStore(tmp_path / "store"), tmp_path, RECEIPTS)) == [b"sealed\n"]
    again = SegmentLog(DirectoryStore(tmp_path / "store"), RECEIPTS, spool_of(tmp_path, RECEIPTS))
    assert again.close()
    assert len(list(DirectoryStore(tmp_path / "store").keys(RECEIPTS))) == 1
    assert closed_files(spool_of(tmp_path, RECEIPTS)) == []


def test_each_segment_is_told_also_one_that_was_there_already(tmp_path: Path) -> None:
    """The second time its gate was killed before it could remove the file."""
    store, spool = DirectoryStore(tmp_path / "store"), spool_of(tmp_path, RECEIPTS)
    told: list[tuple[str, bytes]] = []
    for turn in range(2):
        log = SegmentLog(store, RECEIPTS, spool, sealed=lambda key, lines: told.append((key, lines)))
        log.append(["sealed"] if turn == 0 else [])
        assert log.close()
        closed_name(spool, 1).write_bytes(b"sealed\n")
    assert told == [(f"{RECEIPTS}/seg-000000000000-000001.ndjson", b"sealed\n")] * 2


@pytest.mark.parametrize("shared", [True, False])
def test_age_counts_in_a_store_that_others_read(tmp_path: Path, shared: bool) -> None:
    """A store in the run's own directory has the open file beside it."""
    run = make_run(tmp_path / "gate").model_copy(update={"store_root": str(tmp_path / "shared")} if shared else {})
    receipts = SegmentLog(run.store, RECEIPTS, spool_of(run.directory, RECEIPTS), 10)
    sealing = Sealing(run, (receipts,), 0.001)
    sealing.start()
    receipts.append(["0123456789"])
    receipts.append(["1"])
    until(lambda: [run.store.read(key) for key in run.store.keys(RECEIPTS)][:1] == [b"0123456789\n"], 30)
    if shared:
        until(lambda: len(list(run.store.keys(RECEIPTS))) == 2, 30)
    assert any(run.store.keys(OPEN)) is shared
    assert bool(unseen(run.model_copy(update={"directory": tmp_path / "elsewhere"}))) is shared
    assert sealing.stop()
    assert len(list(run.store.keys(RECEIPTS))) == 2


def test_a_disk_that_refuses_to_seal_holds_up_no_line(tmp_path: Path) -> None:
    run: Run = make_run(tmp_path / "gate")
    receipts = SegmentLog(run.store, RECEIPTS, spool_of(run.directory, RECEIPTS), 5)
    (run.directory / "store").write_text("a file where the store should be")
    sealing = Sealing(run, (receipts,), 0.0)
    sealing.start()
    for line in ("one and", "two and", "three"):
        receipts.append([line])
    assert not sealing.stop()
    (run.directory / "store").unlink()
    assert Sealing(run, (SegmentLog(run.store, RECEIPTS, spool_of(run.directory, RECEIPTS)),), 0.0).stop()
    assert b"".join(map(run.store.read, run.store.keys(RECEIPTS))) == b"one and\ntwo and\nthree\n"
