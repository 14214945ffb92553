"""The decision on a payment whose id the index has forgotten is found as before, and of an id that nobody posted there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from gate_events import SCOPE
from receipt_lines import lines_of
from sample_audits import decided, write_chain
from sample_decisions import FEATURES

from assay.app.gate.decisions import Decisions
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.receipts import RECEIPTS
from assay.app.gate.segments import SegmentLog
from assay.app.gate.spool import spool_of
from assay.app.run.directory import Run, RunConfig
from assay.contracts.errors import AssayError
from assay.contracts.reasons import Reason


@pytest.fixture
def decisions(tmp_path: Path, dsn: str) -> Iterator[Decisions]:
    """Of a run whose index knows no id: three were decided, two of them have the receipt of an admission, and so has `waits`."""
    config = RunConfig.model_validate({**SCOPE, "features": FEATURES, "policy": {}})
    run = Run(directory=tmp_path, config=config, bootstrap="127.0.0.1:1", dsn=dsn)
    write_chain(run.store, [decided(name, 1, 2, 3, "ALLOW", []) for name in ("sealed", "open", "passed")])
    log = SegmentLog(run.store, RECEIPTS, spool_of(run.directory, RECEIPTS))
    log.append([lines_of("sealed")[0], lines_of("passed")[3]])
    log.seal()
    log.append([lines_of(name)[0] for name in ("open", "waits")])
    index = AdmissionIndex(dsn)
    index.ready()
    made = Decisions(run, index)
    yield made
    asyncio.run(made.close())


def asked(decisions: Decisions, event_id: str) -> str | Reason:
    """The id of the decision's payment, or why there is none."""
    try:
        found: str = asyncio.run(decisions.row_of(event_id, "key"))["source_event"]["event_id"]
    except AssayError as refusal:
        return refusal.reason
    return found


def test_a_decision_is_found_after_its_id_was_forgotten(decisions: Decisions, dsn: str) -> None:
    names = ("sealed", "open", "passed", "waits", "nobody")
    assert {asked(decisions, name) for name in names} == {Reason.DECISION_NOT_FOUND}, "nothing was forgotten"
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO ig_forgotten VALUES (%s, 5, NULL, now(), 3)", (SCOPE["platform_run_id"],))
    unknown, pending = Reason.DECISION_NOT_FOUND, Reason.DECISION_PENDING
    assert [asked(decisions, name) for name in names] == ["sealed", "open", unknown, pending, unknown]
