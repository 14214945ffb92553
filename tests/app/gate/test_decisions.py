"""An old decision is found in the audit segments by the id of its payment, whatever id that is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gate_events import SCOPE
from sample_audits import decided, write_chain
from sample_decisions import FEATURES

from assay.app.gate.decisions import Decisions
from assay.app.gate.index import AdmissionIndex
from assay.app.run.directory import Run, RunConfig

IDS = ("a", "ab", "{a}", "é" * 3, "x" * 63, "x" * 64, "x" * 256)


@pytest.fixture
def decisions(tmp_path: Path) -> Iterator[Decisions]:
    config = RunConfig.model_validate({**SCOPE, "features": FEATURES, "policy": {}})
    run = Run(directory=tmp_path, config=config, bootstrap="127.0.0.1:1", dsn="")
    write_chain(run.store, [decided(name, 1, 2, score, "ALLOW", []) for score, name in enumerate(IDS)])
    made = Decisions(run, AdmissionIndex("postgresql://nobody@127.0.0.1:1/none"))
    yield made
    made._asking.shutdown()
    made._reading.shutdown()


@pytest.mark.parametrize("event_id", IDS)
def test_a_decision_is_found_by_its_id(decisions: Decisions, event_id: str) -> None:
    row = decisions._audited(event_id)
    assert row is not None
    assert (row["source_event"]["event_id"], row["score"]) == (event_id, IDS.index(event_id))


@pytest.mark.parametrize("event_id", ["", "b", "é", "x" * 65])
def test_a_part_of_another_id_finds_nothing(decisions: Decisions, event_id: str) -> None:
    assert decisions._audited(event_id) is None
