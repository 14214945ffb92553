"""Receipts in a bucket: each line once, wherever the gate was killed and whatever the server does; no call waits for the bucket."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faulty_proxy import Trouble
from proven_runs import make_run
from receipt_lines import lines_of
from troubled_store import Troubled

from assay.app.gate.index import AdmissionIndex
from assay.app.gate.receipt_search import receipts_at
from assay.app.gate.receipts import QUARANTINE, RECEIPTS
from assay.app.gate.sealing import Sealing
from assay.app.gate.segment_names import SegmentNames
from assay.app.gate.segment_rows import by_index_of
from assay.app.gate.segments import SegmentLog
from assay.app.gate.spool import OPEN, closed_files, closed_name, spool_of, unseen, written
from assay.app.run.directory import Run
from assay.app.stores.objects import ObjectStore
from assay.contracts.errors import Retry
from assay.tables.receipt_names import ID, probe_of
from assay.testing import until

PREFIX = "ig/receipts"


def opened(store: ObjectStore, room: Path, segment_bytes: int = 1_000) -> SegmentLog:
    """A gate's log; a new one after a kill."""
    return SegmentLog(store, PREFIX, room / "spool" / "receipts.ndjson", segment_bytes)


def sealed(store: ObjectStore, prefix: str = PREFIX) -> list[str]:
    """Lines that every machine sees."""
    return [line for key in store.keys(prefix) for line in store.read(key).decode().splitlines()]


def killed_before_it_closed(troubled: Troubled, room: Path) -> None:
    opened(troubled.store, room).append(["one", "two"])


def killed_while_it_wrote(troubled: Troubled, room: Path) -> None:
    opened(troubled.store, room).append(["one", "two"])
    with (room / "spool" / "receipts.ndjson").open("a") as file:
        file.write("thr")


def killed_while_it_closed(troubled: Troubled, room: Path) -> None:
    opened(troubled.store, room).append(["one", "two"])
    spool = room / "spool" / "receipts.ndjson"
    os.link(spool, closed_name(spool, 1))


def killed_before_the_object_was_there(troubled: Troubled, room: Path) -> None:
    _sealed_in(Trouble.UNAVAILABLE, troubled, room)


def killed_before_the_closed_file_was_gone(troubled: Troubled, room: Path) -> None:
    _sealed_in(Trouble.UNANSWERED, troubled, room)
    assert sealed(troubled.around) == ["one", "two"]


def _sealed_in(trouble: Trouble, troubled: Troubled, room: Path) -> None:
    log = opened(troubled.store, room)
    log.append(["one"])
    log.seal()  # the log knows where it ends
    log.append(["two"])
    troubled.proxy.become(trouble)
    with pytest.raises(Retry):
        log.seal()
    troubled.proxy.become(Trouble.NONE)


@pytest.mark.parametrize(
    "killed",
    [
        killed_before_it_closed,
        killed_while_it_wrote,
        killed_while_it_closed,
        killed_before_the_object_was_there,
        killed_before_the_closed_file_was_gone,
    ],
)
def test_each_line_is_sealed_once_by_the_start_after_a_kill(
    troubled: Troubled, tmp_path: Path, killed: Callable[[Troubled, Path], None]
) -> None:
    killed(troubled, tmp_path)
    again = opened(troubled.store, tmp_path)
    again.append(["three"])
    assert again.close()
    assert sealed(troubled.around) == ["one", "two", "three"]
    assert closed_files(tmp_path / "spool" / "receipts.ndjson") == []


def test_a_try_whose_answer_was_lost_is_no_second_object(troubled: Troubled, tmp_path: Path) -> None:
    _sealed_in(Trouble.UNANSWERED, troubled, tmp_path)
    log = opened(troubled.store, tmp_path)
    log.seal()
    log.append(["three"])
    log.seal()
    log.append(["three"])
    log.seal()
    assert sealed(troubled.around) == ["one", "two", "three", "three"], "lines of one text are two lines"


def test_a_gate_that_moved_to_another_machine_goes_on_behind_the_last_object(troubled: Troubled, tmp_path: Path) -> None:
    here, there = opened(troubled.store, tmp_path / "here"), opened(troubled.store, tmp_path / "there")
    for log, line in ((here, "one"), (there, "two"), (here, "three"), (there, "four")):
        log.append([line])
        log.seal()
    assert sealed(troubled.around) == ["one", "two", "three", "four"]


def test_a_log_starts_and_appends_while_the_store_is_away_and_few_files_wait(troubled: Troubled, tmp_path: Path) -> None:
    troubled.proxy.become(Trouble.UNAVAILABLE)
    log, lines = opened(troubled.store, tmp_path, segment_bytes=40), [f"line {number}" for number in range(30)]
    for line in lines:
        log.append([line])
        if log.waiting < 3:
            with pytest.raises(Retry):
                log.seal()
    assert 5 <= log.waiting <= 7, "files are closed when they are full, and not by each try"
    assert not log.close()
    troubled.proxy.become(Trouble.NONE)
    assert opened(troubled.store, tmp_path).close()
    assert sealed(troubled.around) == lines


@pytest.fixture
def run(troubled: Troubled, tmp_path: Path) -> Run:
    """A run whose store is the troubled one."""
    made = make_run(tmp_path / "gate")
    return made.model_copy(update={"store_root": f"s3://{troubled.store.bucket}/runs"})


@pytest.fixture
def gate(run: Run) -> Iterator[tuple[SegmentLog, SegmentLog, Sealing]]:
    """Logs and the thread that seals them, as a gate has them."""
    receipts, quarantine = (SegmentLog(run.store, prefix, spool_of(run.directory, prefix)) for prefix in (RECEIPTS, QUARANTINE))
    sealing = Sealing(run, (receipts, quarantine), 0.1)
    sealing.start()
    yield receipts, quarantine, sealing
    sealing.stop()


def test_what_is_old_is_sealed_while_the_gate_goes_on_and_all_when_it_ends(
    run: Run, gate: tuple[SegmentLog, SegmentLog, Sealing], tmp_path: Path
) -> None:
    receipts, quarantine, sealing = gate
    elsewhere = run.model_copy(update={"directory": tmp_path / "elsewhere"})
    receipts.append(["one"])
    quarantine.append(["refused"])
    until(lambda: sealed(run.store) == ["one"] and sealed(run.store, QUARANTINE) == ["refused"], 30)
    assert any(run.store.keys(OPEN))
    assert ("last lines" in unseen(elsewhere), unseen(run)) == (True, "")
    receipts.append(["two"])
    assert sealing.stop()
    assert sealed(run.store) == ["one", "two"]
    assert not any(run.store.keys(OPEN))
    assert unseen(elsewhere) == ""


def test_a_store_that_is_away_and_comes_back_has_each_receipt_once(
    run: Run, gate: tuple[SegmentLog, SegmentLog, Sealing], troubled: Troubled, caplog: pytest.LogCaptureFixture
) -> None:
    receipts, _, sealing = gate
    receipts.append(["before"])
    until(lambda: sealed(run.store) == ["before"], 30)
    troubled.proxy.become(Trouble.UNAVAILABLE)
    for number in range(100):
        receipts.append([f"meanwhile {number}"])
    until(lambda: troubled.proxy.met > 4, 60)
    receipts.append(["still"])
    troubled.proxy.become(Trouble.NONE)
    everything = ["before", *(f"meanwhile {number}" for number in range(100)), "still"]
    until(lambda: sealed(run.store) == everything, 60)
    assert b"".join(written(run.store, run.directory, RECEIPTS)).decode().splitlines() == everything
    assert sealing.stop()
    said = [record.message for record in caplog.records if record.name == "assay.gate.sealing"]
    assert len(said) == 2, said
    assert "STORE_SILENT" in said[0]


def test_a_gate_that_ends_while_the_store_is_away_leaves_its_lines_to_the_next_start(
    run: Run, gate: tuple[SegmentLog, SegmentLog, Sealing], troubled: Troubled, caplog: pytest.LogCaptureFixture
) -> None:
    receipts, _, sealing = gate
    until(lambda: any(run.store.keys(OPEN)), 30)
    troubled.proxy.become(Trouble.UNAVAILABLE)
    receipts.append(["one"])
    assert not sealing.stop()
    assert "start the gate on this machine again" in caplog.text or "by the next start" in caplog.text
    troubled.proxy.become(Trouble.NONE)
    assert json.loads(run.store.read(f"{OPEN}/gate.json"))["since_us"] > 0
    again = SegmentLog(run.store, RECEIPTS, spool_of(run.directory, RECEIPTS))
    assert Sealing(run, (again,), 0.1).stop()
    assert sealed(run.store) == ["one"]
    assert not any(run.store.keys(OPEN))


def test_a_look_up_reads_of_a_bucket_what_the_index_does_not_rule_out(run: Run, troubled: Troubled, dsn: str) -> None:
    """Rows of what is sealed while the bucket is away come with the objects."""
    indexed = run.model_copy(update={"dsn": dsn})
    names = SegmentNames(AdmissionIndex(dsn), indexed)
    receipts = SegmentLog(run.store, RECEIPTS, spool_of(run.directory, RECEIPTS), 10, sealed=names.sealed)
    sealing = Sealing(run, (receipts,), 0.1, names=names)
    troubled.proxy.become(Trouble.UNAVAILABLE)
    sealing.start()
    for at in range(6):
        receipts.append(lines_of(f"e-{at}", 0, at))
    until(lambda: troubled.proxy.met > 0, 60)
    troubled.proxy.become(Trouble.NONE)
    until(lambda: sum(1 for _ in run.store.keys(RECEIPTS)) == 6, 60)
    assert sealing.stop()
    keys, out = list(run.store.keys(RECEIPTS)), by_index_of(indexed)
    for at in range(6):
        assert [(one["segment"], one["row"]) for one in receipts_at(indexed, 0, at, out)] == [(keys[at], row) for row in range(3)]
        assert len(out([probe_of(f"e-{at}".encode(), ID)])) == 5
