"""What a report says when evidence is there, when it disagrees and when it is missing."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from assay.app.cli.report import main
from assay.app.oracle.generator import generate
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import open_world
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
from assay.app.run.directory import Run, RunConfig
from assay.app.stores.objects import DirectoryStore
from assay.codecs.columns import Strings
from assay.codecs.single_object import pack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

ROWS = 2_000
NOW_US = 1_790_000_000_000_000


def make_run(directory: Path, fingerprint: str = "1" * 64) -> Run:
    config = RunConfig(
        platform_run_id="platform_20260101T000000Z",
        scenario_run_id="0" * 32,
        manifest_fingerprint=fingerprint,
        parameter_hash="2" * 64,
        scenario_id="handbook",
        seed=7,
        run_id="3" * 32,
        features={"feature_set": "handbook", "revision": "1"},
        policy={"policy_id": "handbook_rules", "revision": "1"},
    )
    run = Run(directory=directory, config=config, bootstrap="localhost:9092", dsn="")
    run.save()
    return run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over a small generated world in which every payment is decided by its amount."""
    directory = tmp_path_factory.mktemp("run")
    file = directory / "payments.parquet"
    generate("handbook", ROWS, 1, file)
    manifest = import_world(file, load_mapping("handbook"), DirectoryStore(directory / "store"), NOW_US, lambda *_: None).manifest
    run = make_run(directory, manifest.manifest_fingerprint)
    live = pl.concat([open_world(run.store, manifest.manifest_fingerprint).stream_part(part) for part in manifest.stream_view])
    declined = pl.col("amount_minor") > 22_000
    decisions = live.select(
        "event_id",
        pl.lit("00" * 16).alias("decision_id"),
        "ts_us",
        decided_at_us=NOW_US + pl.int_range(pl.len(), dtype=pl.Int64),
        score=pl.col("amount_minor"),
        outcome=pl.when(declined).then(pl.lit("DECLINE")).otherwise(pl.lit("ALLOW")),
        reasons=pl.when(declined).then(pl.lit(["LARGE"])).otherwise(pl.lit([], dtype=pl.List(pl.String))),
    )
    write_decisions(run.store, [decisions])
    return directory


def evidence(store: DirectoryStore, audits: int = ROWS, *, replayed: bool = True) -> None:
    RunEvidence(
        started_utc="2026-01-01T00:00:00.000000Z",
        finished_utc="2026-01-01T00:01:00.000000Z",
        machine="2 cores",
        stages=({"name": "decided", "wall_s": 2.0, "rows": ROWS},),  # type: ignore[arg-type]  # as read from JSON
        parts=(
            {"role": "bus", "claim": "parity", "name": "Apache Kafka", "version": "4"},  # type: ignore[arg-type]
            {"role": "objects", "claim": "smoke", "name": "directory"},
        ),
        quarantined={"PAYLOAD_HASH_MISMATCH": 3},
        latency_ms={"p50": 2.5},
    ).write(store)
    ReplayEvidence(
        verified=replayed, compared=ROWS, differing=0 if replayed else 1, differences=("<row 5>",), decision_digest="ab", wall_s=1
    ).write(store)
    AuditEvidence(verified=True, records=audits, segments=2, head="cd", wall_s=1).write(store)


def shown(summary: RunSummary) -> str:
    console = Console(file=io.StringIO(), width=120)
    show(summary, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_counts_come_from_the_sealed_world_and_the_decisions(world: Path) -> None:
    run = Run.load(world)
    evidence(run.store)
    summary = summarize(run)
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


def test_one_missing_audit_refutes_completeness_and_sets_the_exit_code(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.load(world)
    evidence(run.store, audits=ROWS - 1)
    assert main(["--run", str(world)]) == 1
    assert "refuted" in capsys.readouterr().out
    assert f"{ROWS - 1:,} audited" in (world / "report.html").read_text()


def test_a_proven_run_writes_a_page_that_loads_nothing(world: Path) -> None:
    evidence(Run.load(world).store)
    assert main(["--run", str(world)]) == 0
    html = (world / "report.html").read_text()
    for outside in ("http:", "https:", "<script", "<link", "@import", "url("):
        assert outside not in html
    assert html.count("✓ proven") == 3


def test_what_a_replay_found_is_listed_and_escaped(world: Path) -> None:
    run = Run.load(world)
    evidence(run.store, replayed=False)
    html = page(summarize(run))
    assert "✗ refuted" in html
    assert "&lt;row 5&gt;" in html


def test_missing_evidence_is_not_proven_and_never_zero(tmp_path: Path) -> None:
    summary = summarize(make_run(tmp_path))
    assert summary.complete is None
    assert [proven for _, proven, _ in summary.verdicts] == [None, None, None]
    text, html = shown(summary), page(summary)
    assert text.count("not proven") >= 4
    assert html.count("? not proven") == 3
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
    }
    assert decision_frame(Strings.of([])).height == 0
