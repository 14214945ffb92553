"""What assay writes is for its user only, whatever the user's umask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from assay_command import assay
from file_modes import open_to_others
from gate_process import GateProcess, run_in


@pytest.fixture(autouse=True)
def _of_a_generous_user() -> Iterator[None]:
    before = os.umask(0o000)
    yield
    os.umask(before)


def test_a_generated_file_and_the_world_of_it_are_closed_to_others(tmp_path: Path) -> None:
    room, store = tmp_path / "new" / "in.parquet", tmp_path / "store"
    generated = assay("oracle", "generate", "--rows", "200", "--out", room)
    assert generated.code == 0, generated.text
    imported = assay("oracle", "import", room, "--mapping", "handbook", "--out", store)
    assert imported.code == 0, imported.text
    assert open_to_others(room.parent) == []
    assert open_to_others(store) == []


def test_a_gates_files_are_closed_to_others(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run", "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)
    made_here = set(open_to_others(run.directory))
    gate = GateProcess(run)
    assert gate.stop() == 0
    assert set(open_to_others(run.directory)) == made_here
    assert {path.name for path in run.directory.rglob("*") if path.is_file()} > {"run.json", "secrets.json"}, "the gate has written files"


def test_planted_modes_are_seen(tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir(mode=0o700)
    (room / "key").touch(mode=0o640)
    assert open_to_others(room) == ["key 640"]
