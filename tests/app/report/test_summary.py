"""What a report says when evidence is there, when it disagrees and when it is missing."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from forged_chains import forge
from rich.console import Console
from sample_audits import decided, write_proof

from assay.app.audit.verify import verify_chain
from assay.app.cli.report import main
from assay.app.gate.receipts import RECEIPTS
from assay.app.oracle.generator import generate
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import open_world
from assay.app.report.evidence import (
    AuditEvidence,
    Entry,
    ReplayEvidence,
    RunEvidence,
    decision_frame,
    read_decisions,
    write_decisions,
)
from assay.app.report.page import page
from assay.app.report.summary import CAME_IN, RunSummary, summarize
from assay.app.report.terminal import show
from assay.app.run.directory import Run, RunConfig
from assay.app.stores.objects import DirectoryStore
from assay.app.stores.segment_journal import HEAD, read_head, segment_key
from assay.codecs.audit_segment import SEGMENTS
from assay.codecs.columns import Strings
from assay.codecs.single_object import pack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

ROWS = 2_000
NOW_US = 1_790_000_000_000_000
RECEIPT_FILE = f"{RECEIPTS}/seg-000000000000-002000.ndjson"
ENTRY = Entry(admitted=ROWS, receipts=ROWS, without_receipt=0)


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
    large = 22_000
    decisions = [
        decided(event, ts_us, NOW_US + at, amount, *(("DECLINE", ["LARGE"]) if amount > large else ("ALLOW", [])))
        for at, (event, ts_us, amount) in enumerate(live.select("event_id", "ts_us", "amount_minor").iter_rows())
    ]
    write_proof(run.store, decisions)
    lines = [f'{{"decision":"ADMIT","event_class":"traffic","event_id":"{event}"}}\n' for event in live["event_id"]]
    run.store.create(RECEIPT_FILE, "".join(lines).encode())
    return directory


@pytest.fixture
def proven(world: Path) -> Iterator[Run]:
    """The run with evidence of every stage; what a test does to its store is undone."""
    run = Run.load(world)
    evidence(run.store)
    before = {key: run.store.read(key) for prefix in ("evidence", SEGMENTS, RECEIPTS) for key in run.store.keys(prefix)}
    yield run
    for key, data in before.items():
        run.store.replace(key, data)


def evidence(store: DirectoryStore) -> None:
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
        entry=ENTRY,
    ).write(store)


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


def test_what_a_replay_found_is_listed_and_escaped(proven: Run) -> None:
    replay = ReplayEvidence.read(proven.store)
    assert replay is not None
    replay.model_copy(update={"verified": False, "differing": 1, "differences": ("<row 5>",)}).write(proven.store)
    html = page(summarize(proven))
    assert "✗ refuted" in html
    assert "&lt;row 5&gt;" in html


REPLAY, CHAIN, GIVEN = "Replay gives the same decisions", "Audit chain is whole", "Audit holds the decisions of the journal"


def _edit(kind: type[RunEvidence | ReplayEvidence | AuditEvidence], **changes: object) -> Callable[[DirectoryStore], None]:
    def edit(store: DirectoryStore) -> None:
        found = kind.read(store)
        assert found is not None
        found.model_copy(update=changes).write(store)

    return edit


def _cut(store: DirectoryStore) -> None:
    store.replace(segment_key(0), store.read(segment_key(0))[:-7])


def _removed(number: int) -> Callable[[DirectoryStore], None]:
    return lambda store: store.remove(segment_key(number))


def _exchanged(store: DirectoryStore) -> None:
    first, second = store.read(segment_key(0)), store.read(segment_key(1))
    store.replace(segment_key(0), second)
    store.replace(segment_key(1), first)


def _other_head(store: DirectoryStore) -> None:
    store.replace(HEAD, store.read(HEAD).replace(b'"sequence":1', b'"sequence":0'))


def _entry(**changes: object) -> Callable[[DirectoryStore], None]:
    return _edit(RunEvidence, entry=ENTRY.model_copy(update=changes))


def _reason(store: DirectoryStore) -> None:
    """Everything is computed anew, the evidence of the verification too."""

    def change(records: list[dict[str, Any]]) -> None:
        records[3]["decision"]["reasons"] = ["PLANTED"]

    forge(store, change)
    head = read_head(store)
    assert head is not None
    _edit(AuditEvidence, head=head.sha256)(store)


def _figures(store: DirectoryStore) -> None:
    decisions = read_decisions(store)
    assert decisions is not None
    write_decisions(store, [decisions.with_columns(outcome=pl.lit("ALLOW"))])


def _fewer_figures(store: DirectoryStore) -> None:
    decisions = read_decisions(store)
    assert decisions is not None
    write_decisions(store, [decisions.head(ROWS - 1)])


@pytest.mark.parametrize(
    ("tamper", "verdict", "words"),
    [
        pytest.param(_edit(ReplayEvidence, compared=5_000), REPLAY, "its evidence says 5,000 decisions", id="compared edited"),
        pytest.param(_fewer_figures, REPLAY, f"decisions.parquet holds {ROWS - 1:,}", id="a decision less in the figures"),
        pytest.param(_figures, REPLAY, "holds other decisions than the audit", id="outcomes edited in the figures"),
        pytest.param(_edit(ReplayEvidence, decision_set="0" * 64), REPLAY, "are not those that were recomputed", id="another set"),
        pytest.param(_reason, REPLAY, "are not those that were recomputed", id="a reason changed, and all digests computed anew"),
        pytest.param(_cut, CHAIN, f"{segment_key(0)}: an audit segment is damaged", id="a segment truncated"),
        pytest.param(_removed(0), CHAIN, f"{segment_key(1)}: does not follow", id="the first segment removed"),
        pytest.param(_removed(1), CHAIN, f"{segment_key(1)}: is not the segment that the head names", id="the last segment removed"),
        pytest.param(_exchanged, CHAIN, f"{segment_key(0)}: holds segment 1", id="segments exchanged"),
        pytest.param(_other_head, CHAIN, f"{segment_key(0)}: is not the segment that the head names", id="another head"),
        pytest.param(lambda store: store.remove(HEAD), CHAIN, "does not close a chain of 2 segments", id="no head"),
        pytest.param(_edit(AuditEvidence, records=9), CHAIN, "is not the one of 9 records that was verified", id="records edited"),
        pytest.param(_edit(AuditEvidence, head="0" * 64), CHAIN, "is not the one of 2,000 records", id="evidence of another chain"),
        pytest.param(_edit(AuditEvidence, recomputed=9), GIVEN, "9 decisions recomputed from the journal", id="recomputed edited"),
        pytest.param(_entry(strangers=1), CAME_IN, "1 unknown to the gate", id="one came past the gate"),
        pytest.param(_entry(receipts_gone=2), CAME_IN, "2 whose receipt is gone", id="receipts deleted while it ran"),
        pytest.param(_entry(receipts=9), CAME_IN, "the evidence says 9 receipts, there are 2,000", id="receipts edited"),
        pytest.param(lambda store: store.remove(RECEIPT_FILE), CAME_IN, "there are 0", id="receipts deleted"),
        pytest.param(_edit(AuditEvidence, verified=False), GIVEN, "recomputed from the journal", id="a verification that failed"),
    ],
)
def test_evidence_that_the_store_does_not_bear_out_is_refuted(
    proven: Run, tamper: Callable[[DirectoryStore], None], verdict: str, words: str
) -> None:
    assert [given for _, given, _ in summarize(proven).verdicts] == [True] * 5
    tamper(proven.store)
    found = {what: (given, figures) for what, given, figures in summarize(proven).verdicts}
    assert found[verdict][0] is False
    assert words in found[verdict][1]
    assert main(["--run", str(proven.directory)]) == 1


def test_a_chain_that_nothing_else_was_asked_about_is_whole_and_not_proven_to_hold_the_decisions(proven: Run) -> None:
    _edit(AuditEvidence, recomputed=None, on_bus=None, unreached="Kafka does not answer")(proven.store)
    found = {what: (given, figures) for what, given, figures in summarize(proven).verdicts}
    assert found[CHAIN][0] is True
    assert found[GIVEN] == (None, "only the chain was checked: Kafka does not answer")


def test_records_without_a_receipt_are_not_proven_while_the_index_was_not_asked(proven: Run) -> None:
    _entry(without_receipt=3, unasked="the gate's index does not answer: gone")(proven.store)
    found = {what: (given, figures) for what, given, figures in summarize(proven).verdicts}
    figures = f"{ROWS:,} payments · {ROWS:,} receipts · 3 on the topic without one"
    assert found[CAME_IN] == (None, f"{figures}; the gate's index does not answer: gone")


def test_payments_that_came_past_the_gate_are_named_in_the_page(proven: Run) -> None:
    _entry(strangers=1, named=("event e came past the gate",))(proven.store)
    assert "event e came past the gate" in page(summarize(proven))


def test_evidence_of_an_older_version_is_not_proven(proven: Run) -> None:
    _edit(ReplayEvidence, decision_set="")(proven.store)
    found = {what: given for what, given, _ in summarize(proven).verdicts}
    assert found[REPLAY] is None


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


NOTHING = {"started_utc": "s", "finished_utc": "f", "machine": "m", "stages": (), "parts": ()}


@pytest.mark.parametrize(
    ("quarantined", "said"),
    [
        ({"TRUTH_COLUMN_IN_LIVE_ROW": 2}, "nothing was admitted: all 2 that were posted were refused (TRUTH_COLUMN_IN_LIVE_ROW 2)"),
        ({}, "nothing was posted"),
    ],
)
def test_a_run_of_which_nothing_was_admitted_says_so_and_nothing_is_refuted(tmp_path: Path, quarantined: dict[str, int], said: str) -> None:
    run = make_run(tmp_path)
    RunEvidence.model_validate({**NOTHING, "admitted_triggers": 0, "quarantined": quarantined}).write(run.store)
    verify_chain(run.store, run.config.pins)
    summary = summarize(run)
    assert [given for _, given, _ in summary.verdicts] == [None] * 5
    assert said in shown(summary)
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
    }
    assert decision_frame(Strings.of([])).height == 0
