"""Evidence that was edited, or whose store was, is refuted at the time of the report and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from forged_chains import COMPUTED, forge
from proven_runs import ENTRY, RECEIPT_FILE, ROWS

from assay.app.cli.report import main
from assay.app.report.evidence import (
    AuditEvidence,
    ReplayEvidence,
    RunEvidence,
    read_decisions,
    write_decisions,
)
from assay.app.report.page import page
from assay.app.report.summary import summarize
from assay.app.report.verdicts import CAME_IN, GIVEN, REPLAYED, WHOLE
from assay.app.run.directory import Run
from assay.app.stores.objects import SizedObjects
from assay.app.stores.segment_journal import HEAD, read_head, segment_key
from assay.codecs.audit_segment import read_segment, write_segment


def _edit(kind: type[RunEvidence | ReplayEvidence | AuditEvidence], **changes: object) -> Callable[[SizedObjects], None]:
    def edit(store: SizedObjects) -> None:
        found = kind.read(store)
        assert found is not None
        found.model_copy(update=changes).write(store)

    return edit


def _cut(store: SizedObjects) -> None:
    store.replace(segment_key(0), store.read(segment_key(0))[:-7])


def _removed(number: int) -> Callable[[SizedObjects], None]:
    return lambda store: store.remove(segment_key(number))


def _written_anew(store: SizedObjects) -> None:
    segment = read_segment(store.read(segment_key(0)))
    header = {name: value for name, value in segment.header.items() if name not in COMPUTED}
    store.replace(segment_key(0), write_segment({**header, "recorded_at_us": 11}, segment.values)[0])


def _exchanged(store: SizedObjects) -> None:
    first, second = store.read(segment_key(0)), store.read(segment_key(1))
    store.replace(segment_key(0), second)
    store.replace(segment_key(1), first)


def _other_head(store: SizedObjects) -> None:
    store.replace(HEAD, store.read(HEAD).replace(b'"sequence":1', b'"sequence":0'))


def _entry(**changes: object) -> Callable[[SizedObjects], None]:
    return _edit(RunEvidence, entry=ENTRY.model_copy(update=changes))


def _reason(store: SizedObjects) -> None:
    """Everything is computed anew, the evidence of the verification too."""

    def change(records: list[dict[str, Any]]) -> None:
        records[3]["decision"]["reasons"] = ["PLANTED"]

    forge(store, change)
    head = read_head(store)
    assert head is not None
    _edit(AuditEvidence, head=head.sha256)(store)


def _figures(store: SizedObjects) -> None:
    decisions = read_decisions(store)
    assert decisions is not None
    write_decisions(store, [decisions.with_columns(outcome=pl.lit("ALLOW"))])


def _fewer_figures(store: SizedObjects) -> None:
    decisions = read_decisions(store)
    assert decisions is not None
    write_decisions(store, [decisions.head(ROWS - 1)])


@pytest.mark.parametrize(
    ("tamper", "verdict", "words"),
    [
        pytest.param(_edit(ReplayEvidence, compared=5_000), REPLAYED, "its evidence says 5,000 decisions", id="compared edited"),
        pytest.param(_fewer_figures, REPLAYED, f"decisions.parquet holds {ROWS - 1:,}", id="a decision less in the figures"),
        pytest.param(_figures, REPLAYED, "holds other decisions than the audit", id="outcomes edited in the figures"),
        pytest.param(_edit(ReplayEvidence, decision_set="0" * 64), REPLAYED, "are not those that were recomputed", id="another set"),
        pytest.param(_reason, REPLAYED, "are not those that were recomputed", id="a reason changed, and all digests computed anew"),
        pytest.param(_cut, WHOLE, f"{segment_key(0)}: an audit segment is damaged", id="a segment truncated"),
        pytest.param(_removed(0), WHOLE, f"{segment_key(1)}: does not follow", id="the first segment removed"),
        pytest.param(_removed(1), WHOLE, f"{segment_key(1)}: is not the segment that the head names", id="the last segment removed"),
        pytest.param(_written_anew, WHOLE, f"{segment_key(1)}: does not follow", id="a segment written anew"),
        pytest.param(_exchanged, WHOLE, f"{segment_key(0)}: holds segment 1", id="segments exchanged"),
        pytest.param(_other_head, WHOLE, f"{segment_key(0)}: is not the segment that the head names", id="another head"),
        pytest.param(lambda store: store.remove(HEAD), WHOLE, "does not close a chain of 2 segments", id="no head"),
        pytest.param(_edit(AuditEvidence, records=9), WHOLE, "is not the one of 9 records that was verified", id="records edited"),
        pytest.param(_edit(AuditEvidence, head="0" * 64), WHOLE, "is not the one of 2,000 records", id="evidence of another chain"),
        pytest.param(_edit(AuditEvidence, recomputed=9), GIVEN, "9 decisions recomputed from the journal", id="recomputed edited"),
        pytest.param(_entry(strangers=1), CAME_IN, "1 unknown to the gate", id="one came past the gate"),
        pytest.param(_entry(receipts_gone=2), CAME_IN, "2 whose receipt is gone", id="receipts deleted while it ran"),
        pytest.param(_entry(ambiguous=3), CAME_IN, "3 may be on the bus or not", id="a gate was killed and nobody resolved"),
        pytest.param(_entry(receipts=9), CAME_IN, "the evidence says 9 receipts, there are 2,000", id="receipts edited"),
        pytest.param(lambda store: store.remove(RECEIPT_FILE), CAME_IN, "there are 0", id="receipts deleted"),
        pytest.param(_edit(AuditEvidence, verified=False), GIVEN, "recomputed from the journal", id="a verification that failed"),
    ],
)
def test_evidence_that_the_store_does_not_bear_out_is_refuted(
    proven: Run, tamper: Callable[[SizedObjects], None], verdict: str, words: str
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
    assert found[WHOLE][0] is True
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
    assert found[REPLAYED] is None
