"""A decision record with every field set, and a run that a report calls proven."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sample_decisions
from proven_runs import evidence, proven_run

from assay.app.gate.receipts import RECEIPTS
from assay.app.run.directory import Run
from assay.codecs.audit_segment import SEGMENTS


@pytest.fixture
def decision_record() -> dict[str, Any]:
    return sample_decisions.decision_record()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's directory."""
    return proven_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def proven(world: Path) -> Iterator[Run]:
    """The run with evidence of every stage; what a test does to its store is undone."""
    run = Run.load(world)
    evidence(run.store)
    before = {key: run.store.read(key) for prefix in ("evidence", SEGMENTS, RECEIPTS) for key in run.store.keys(prefix)}
    yield run
    for key, data in before.items():
        run.store.replace(key, data)
