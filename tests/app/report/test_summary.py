"""What a report says when evidence is there, when it disagrees and when it is missing."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from forged_chains import forge
from proven_runs import ROWS, make_run
from rich.console import Console

from assay.app.audit.verify import verify_chain
from assay.app.cli.report import main
from assay.app.report.evidence import (
    AuditEvidence,
    ReplayEvidence,
    RunEvidence,
    decision_frame,
    read_decisions,
    write_decisions,
)
from assay.app.report.page import page
from assay.app.report.summary import RunSummary, summarize
from assay.app.report.terminal import show
from assay.app.run.directory import Run
from assay.codecs.columns import Strings
from assay.codecs.single_object import pack
from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def shown(summary: RunSummary) -> str:
    console = Console(file=io.StringIO(), width=120)
    show(summary, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_counts_come_from_the_sealed_world_and_the_decisions(proven: Run) -> None:
    summary = summarize(proven)
    assert (summary.sealed_rows, summary.eligible, summary.decisions, summary.audits) == (ROWS, ROWS, ROWS, ROWS)
    assert summary.complete is True
    assert summary.claim == "smoke"
    assert sum(row.count for row in summary.outcomes) == ROWS
    declined = next(row for row in summary.outcomes if row.name == "DECLINE")
    assert [(row.name, row.count, row.frauds) for row in summary.reasons] == [("LARGE", declined.count, declined.frauds)]
    assert declined.frauds == declined.count > 0
    assert summary.throughput is not None
    assert sum(summary.throughput.counts) == ROWS
    names = [row.name for row in summary.quality]
    assert names[-1] == "all decided"
    assert names[0].startswith("test week from ")


def test_one_missing_audit_refutes_completeness_and_sets_the_exit_code(proven: Run, capsys: pytest.CaptureFixture[str]) -> None:
    forge(proven.store, lambda records: records.pop())
    assert main(["--run", str(proven.directory)]) == 1
    assert "refuted" in capsys.readouterr().out
    assert f"{ROWS - 1:,} audited" in (proven.directory / "report.html").read_text()


def test_a_proven_run_writes_a_page_that_loads_nothing(proven: Run) -> None:
    assert main(["--run", str(proven.directory)]) == 0
    html = (proven.directory / "report.html").read_text()
    for outside in ("http:", "https:", "<script", "<link", "@import", "url("):
        assert outside not in html
    assert html.count("✓ proven") == 5
    assert f"against {ROWS:,} audit records on the bus; {ROWS:,} decisions recomputed from the journal" in html


@pytest.mark.parametrize("ts_us", [instants.FIRST_US, instants.LAST_US], ids=["the first instant", "the last instant"])
def test_a_decision_of_any_time_is_reported(proven: Run, ts_us: int) -> None:
    decisions = read_decisions(proven.store)
    assert decisions is not None
    stopped = pl.when(pl.col("outcome") == "DECLINE").then(ts_us).otherwise("ts_us")
    write_decisions(proven.store, [decisions.with_columns(ts_us=stopped)])
    summary = summarize(proven)
    assert re.search(r"\d{4}-\d\d-\d\d: [\d,]+ DECLINE", page(summary))
    assert "DECLINE" in shown(summary)


def test_what_a_replay_found_is_listed_and_escaped(proven: Run) -> None:
    replay = ReplayEvidence.read(proven.store)
    assert replay is not None
    replay.model_copy(update={"verified": False, "differing": 1, "differences": ("<row 5>",)}).write(proven.store)
    html = page(summarize(proven))
    assert "✗ refuted" in html
    assert "&lt;row 5&gt;" in html


def test_missing_evidence_is_not_proven_and_never_zero(tmp_path: Path) -> None:
    summary = summarize(make_run(tmp_path))
    assert summary.complete is None
    assert [proven for _, proven, _ in summary.verdicts] == [None] * 5
    text, html = shown(summary), page(summary)
    assert text.count("not proven") >= 4
    assert html.count("? not proven") == 5
    assert "<b>0</b>" not in html


def test_a_live_run_counts_what_the_gate_admitted(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    common = {"started_utc": "s", "finished_utc": "f", "machine": "m", "stages": (), "parts": ()}
    RunEvidence.model_validate({**common, "admitted_triggers": 9, "refused_triggers": 2}).write(run.store)
    summary = summarize(run)
    assert (summary.eligible, summary.complete) == (7, None)
    assert "admitted payments" in page(summary)
    AuditEvidence(verified=True, records=6, segments=1, head="cd", wall_s=1).write(run.store)
    assert summarize(run).complete is False


def test_what_the_lanes_of_a_live_run_refused_stands_beside_what_was_decided(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    RunEvidence.model_validate({**NOTHING, "admitted_triggers": 9, "refused_triggers": 2, "refused_labels": 3}).write(run.store)
    some = replace(summarize(run), decisions=7, audits=7)
    said = "7 of 9 eligible (2 refused by the lanes), all decided, all audited; 3 labels refused by the lanes"
    assert some.verdicts[0] == ("Every eligible payment decided and audited", True, said)


NOTHING = {"started_utc": "s", "finished_utc": "f", "machine": "m", "stages": (), "parts": ()}


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        ({}, "nothing was posted"),
        (
            {"quarantined": {"TRUTH_COLUMN_IN_LIVE_ROW": 2, "ENTITY_MISSING": 1}},
            "nothing was admitted: all 3 that were posted were refused (ENTITY_MISSING 1 · TRUTH_COLUMN_IN_LIVE_ROW 2): `assay q",
        ),
        (
            {"refused_calls": {"UNAUTHORISED": 2}},
            "nothing was admitted: 2 calls refused as a whole (UNAUTHORISED 2), and each was answered with what helps",
        ),
        (
            {"admitted_triggers": 1, "refused_triggers": 1, "quarantined": {"LATE_BEYOND_WATERMARK": 1}},
            "the lanes refused all of 1 admitted payment (LATE_BEYOND_WATERMARK 1): `assay quarantine list --bus` says why",
        ),
    ],
)
def test_a_run_of_which_nothing_is_left_says_why_and_what_helps_and_nothing_is_refuted(
    tmp_path: Path, evidence: dict[str, Any], said: str
) -> None:
    run = make_run(tmp_path)
    RunEvidence.model_validate({**NOTHING, "admitted_triggers": 0, **evidence}).write(run.store)
    verify_chain(run.store, run.config.pins)
    write_decisions(run.store, [decision_frame(Strings.of([]))])
    summary = summarize(run)
    assert [given for _, given, _ in summary.verdicts] == [None] * 5
    assert said in " ".join(shown(summary).split())
    assert "nothing was audited" in shown(summary)
    assert main(["--run", str(tmp_path)]) == 0


def test_all_sealed_payments_refused_is_said_with_their_number(proven: Run) -> None:
    for key in (*proven.store.keys("audit"), *proven.store.keys("evidence")):
        proven.store.remove(key)
    evidence = {**NOTHING, "refused_triggers": ROWS, "quarantined": {"AMOUNT_OUT_OF_RANGE": ROWS}}
    RunEvidence.model_validate(evidence).write(proven.store)
    assert f"nothing was admitted: all {ROWS:,} that were posted were refused" in shown(summarize(proven))


def test_without_a_denominator_nothing_is_refuted(world: Path, tmp_path: Path) -> None:
    """A live run that goes on was replayed at one moment and verified at the next."""
    run = make_run(tmp_path)
    decisions = read_decisions(Run.load(world).store)
    assert decisions is not None
    write_decisions(run.store, [decisions.head(7)])
    AuditEvidence(verified=True, records=8, segments=1, head="cd", wall_s=1).write(run.store)
    assert summarize(run).complete is None


@pytest.mark.parametrize(
    ("latency_utc", "said"),
    [("", ""), ("2026-01-02T00:00:00.000000Z", ""), ("2026-01-01T10:20:30.000000Z", ", in the session of 2026-01-01 10:20:30 UTC")],
)
def test_latency_of_an_earlier_session_is_named_as_such(tmp_path: Path, latency_utc: str, said: str) -> None:
    run = make_run(tmp_path)
    common = {"started_utc": "2026-01-02T00:00:00.000000Z", "finished_utc": "f", "machine": "m", "stages": (), "parts": ()}
    RunEvidence.model_validate({**common, "latency_ms": {"p50": 2.5}, "latency_utc": latency_utc}).write(run.store)
    summary = summarize(run)
    assert f"while streaming{said}:" in shown(summary)
    assert f"while streaming{said}.</p>" in page(summary)


def test_evidence_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.store.replace(AuditEvidence.KEY, b'{"verified": true}')
    with pytest.raises(Stop) as refusal:
        summarize(run)
    assert refusal.value.reason is Reason.EVIDENCE_INVALID
    assert refusal.value.where == AuditEvidence.KEY


def test_decision_values_become_rows(decision_record: dict[str, object]) -> None:
    frame = decision_frame(Strings.of([pack("decision_response", decision_record)] * 2))
    assert frame.height == 2
    assert frame.row(0, named=True) == {
        "event_id": "pay-1",
        "decision_id": "04" * 16,
        "ts_us": 5,
        "decided_at_us": 6,
        "score": 35,
        "outcome": "STEP_UP",
        "reasons": ["MANY", "NIGHT"],
        "amount_minor": 31_000,
        "currency": "EUR",
        "entity_names": ["customer"],
        "entity_ids": ["c-1"],
    }
    assert decision_frame(Strings.of([])).height == 0
