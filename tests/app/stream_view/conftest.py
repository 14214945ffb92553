"""A sealed world of a few rows, made once and copied."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from planted_worlds import made
from view_sorts import CutStore, mixed

from assay.app.stores.objects import DirectoryStore


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed world of a few rows, to be copied."""
    folder = tmp_path_factory.mktemp("sealed") / "world"
    made(DirectoryStore(folder), mixed)
    return folder


@pytest.fixture
def store(sealed: Path, tmp_path: Path) -> CutStore:
    """A copy of the sealed world."""
    shutil.copytree(sealed, tmp_path / "world")
    return CutStore(tmp_path / "world")
