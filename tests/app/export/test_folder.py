"""The folder of an export is complete after an interruption anywhere, and is refused where it is not what it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from exports import KeptJournal, exported, rows, values
from polars.testing import assert_frame_equal

from assay.app.stores.durable import replace_file
from assay.contracts.errors import Stop


class Killed(Exception):
    """The process ends here."""


class EndsAt:
    """A writer that ends after so many writes, with the draft of the next file beside its place."""

    def __init__(self, writes: int, *, renamed: bool) -> None:
        self.left, self.renamed = writes, renamed

    def __call__(self, path: Path, data: bytes) -> None:
        if not self.left:
            (path.parent / f".{path.name}.0123456789abcdef").write_bytes(data[: len(data) // 2])
            if self.renamed:
                replace_file(path, data)
            raise Killed
        self.left -= 1
        replace_file(path, data)


@pytest.mark.parametrize("renamed", [False, True], ids=["before the rename", "after it"])
@pytest.mark.parametrize("later", [0, 7], ids=["same journal", "the journal went on"])
def test_an_export_that_was_interrupted_anywhere_is_completed_by_the_next_one(tmp_path: Path, later: int, *, renamed: bool) -> None:
    journal = values()
    exported(tmp_path / "whole", KeptJournal(journal, tmp_path))
    writes, ended = 0, False
    while not ended:
        out = tmp_path / f"ended after {writes}"
        try:
            exported(out, KeptJournal(journal, tmp_path, len(journal) - later), write=EndsAt(writes, renamed=renamed))
            ended = True
        except Killed:
            writes += 1
        exported(out, KeptJournal(journal, tmp_path))
        for kind in ("decisions", "labels"):
            assert_frame_equal(rows(out, kind), rows(tmp_path / "whole", kind))
            assert not list((out / kind).glob(".*"))
    assert writes > 6


def _of_another_run(out: Path) -> None:
    (out / "export.json").write_text('{"run": "two", "config": "c"}')


def _of_another_version(out: Path) -> None:
    (out / "export.json").write_text('{"run": "one", "config": "c"}')


def _unreadable(out: Path) -> None:
    (out / "export.json").write_text("{")


def _no_identity(out: Path) -> None:
    (out / "export.json").unlink()


def _a_part_is_gone(out: Path) -> None:
    min((out / "decisions").iterdir()).unlink()


def _labels_are_gone(out: Path) -> None:
    min((out / "labels").iterdir()).unlink()


UNFIT = {
    "the export of two, this run is one": _of_another_run,
    "another version of assay wrote it, with other columns": _of_another_version,
    "export.json cannot be read": _unreadable,
    "it holds decisions and no export.json": _no_identity,
    "are not covered by decisions/": _a_part_is_gone,
    "labels/00000000000000000000-": _labels_are_gone,
}


@pytest.mark.parametrize("what", UNFIT)
def test_a_folder_that_is_no_whole_export_of_the_run_is_refused_with_the_fault(tmp_path: Path, what: str) -> None:
    journal = KeptJournal(values(), tmp_path)
    exported(tmp_path / "out", journal)
    UNFIT[what](tmp_path / "out")
    held = set((tmp_path / "out").rglob("*.parquet"))
    with pytest.raises(Stop, match="EXPORT_UNFIT") as refused:
        exported(tmp_path / "out", journal)
    assert what in refused.value.what
    assert set((tmp_path / "out").rglob("*.parquet")) == held, "nothing is taken away"
