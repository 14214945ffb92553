"""The same identity gives the same rows on every machine, and the same files for any number of workers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_graph import files
from world_digests import GOLDEN, GOLDEN_FILES, WRITER, file_digests, made, row_digests

from assay.app.stores.objects import DirectoryStore


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> DirectoryStore:
    """The little world, made by two workers."""
    return DirectoryStore(tmp_path_factory.mktemp("first"))


def test_rows_are_those_of_the_repository(first: DirectoryStore) -> None:
    assert row_digests(made(first)) == json.loads(GOLDEN.read_text())


def test_files_are_those_of_the_repository_for_this_version_of_the_writer(first: DirectoryStore) -> None:
    known = json.loads(GOLDEN_FILES.read_text())
    assert WRITER in known, "another writer of files: check that the rows are the same, then run tests/world_digests.py"
    assert file_digests(made(first)) == known[WRITER]


@pytest.mark.parametrize("workers", [1, 3])
def test_files_do_not_depend_on_the_number_of_workers(first: DirectoryStore, tmp_path: Path, workers: int) -> None:
    made(first)
    other = DirectoryStore(tmp_path / "other")
    made(other, workers)
    ours, theirs = files(first), files(other)
    assert ours.keys() == theirs.keys()
    assert [key for key in ours if ours[key] != theirs[key]] == []
