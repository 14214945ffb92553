"""Labels that were posted count in a report as those of a file do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sample_decisions
from proven_runs import make_run
from sample_audits import decided, write_proof

from assay.app.report.evidence import read_decisions, write_decisions
from assay.app.report.page import page
from assay.app.report.posted_labels import label_frame, last_labels, read_labels, write_labels
from assay.app.report.summary import summarize
from assay.app.run.directory import Run
from assay.codecs.columns import Strings
from assay.codecs.single_object import pack


def label(subject: str, said: str, known_us: int, order: int = 0) -> bytes:
    record: dict[str, Any] = {
        "event_id": f"label-{subject}-{known_us}",
        "event_type": "label_assertion",
        "ts_utc": known_us,
        "pins": sample_decisions.PINS,
        "producer": "bank",
        "payload_hash": b"\1" * 32,
        "subject_event_id": subject,
        "subject_ts_utc": 5,
        "label": said,
        "source": "dispute",
        "source_order": order,
    }
    return pack("label_assertion", record)


@pytest.mark.parametrize(
    ("posted", "fraud"),
    [
        ([label("a", "FRAUD", 1)], {"a": True}),
        ([label("a", "LEGIT", 1)], {"a": False}),
        ([label("a", "FRAUD", 1), label("a", "LEGIT", 2)], {"a": False}),
        ([label("a", "LEGIT", 2), label("a", "FRAUD", 1)], {"a": False}),
        ([label("a", "FRAUD", 1, 4), label("a", "LEGIT", 1, 3)], {"a": True}),
        ([label("a", "LEGIT", 1), label("a", "FRAUD", 1)], {"a": True}),
        ([label("b", "FRAUD", 1), label("a", "LEGIT", 1)], {"a": False, "b": True}),
        ([pack("decision_response", sample_decisions.decision_record()), label("a", "FRAUD", 1)], {"a": True}),
        ([], {}),
    ],
)
def test_the_label_known_last_counts(posted: list[bytes], fraud: dict[str, bool]) -> None:
    assert dict(last_labels([label_frame(Strings.of(posted))]).iter_rows()) == fraud
    assert dict(last_labels([label_frame(Strings.of([one])) for one in posted]).iter_rows()) == fraud


def live(directory: Path) -> Run:
    """A live run with three decisions: there is no sealed world."""
    run = make_run(directory)
    outcomes = ("DECLINE", "ALLOW", "ALLOW")
    write_proof(run.store, [decided(f"p{at}", at, at, 40, outcome, ["MANY"]) for at, outcome in enumerate(outcomes)], segments=1)
    return run


def test_posted_labels_of_a_live_run_are_counted_by_outcome_and_rule(tmp_path: Path) -> None:
    run = live(tmp_path)
    posted = [label("p0", "FRAUD", 9), label("p1", "FRAUD", 9), label("p2", "LEGIT", 9), label("unknown", "FRAUD", 9)]
    write_labels(run.store, [label_frame(Strings.of(posted))])
    summary = summarize(run)
    assert (summary.frauds, summary.missed_frauds) == (2, 1)
    assert [(row.name, row.frauds) for row in summary.outcomes] == [("ALLOW", 1), ("STEP_UP", 0), ("QUEUE_REVIEW", 0), ("DECLINE", 1)]
    assert [(row.name, row.count, row.frauds) for row in summary.reasons] == [("MANY", 3, 2)]
    assert [(row.code, row.frauds) for row in summary.findings.rules] == [("MANY", 1)]
    assert (summary.findings.labels.source, summary.findings.labels.labelled) == ("posted", 3)
    assert summary.quality[0].quality.frauds == 2
    assert "3 decided payments have a label that was posted" in page(summary)


def test_a_run_whose_labels_were_never_looked_for_or_never_came_has_none(tmp_path: Path) -> None:
    run = live(tmp_path)
    assert read_labels(run.store) is None
    for posted in (None, [], [label("unknown", "FRAUD", 9)]):
        if posted is not None:
            write_labels(run.store, [label_frame(Strings.of(posted))])
        summary = summarize(run)
        assert (summary.frauds, summary.findings.labels.source, summary.quality) == (None, "", ())
        assert "No labels yet" in page(summary)


def paid(event: str, amount_minor: int, currency: str, entities: dict[str, str], outcome: str) -> dict[str, Any]:
    return {**decided(event, 5, 6, 40, outcome, []), "amount_minor": amount_minor, "currency": currency, "entities": entities}


def test_payments_of_a_live_run_are_known_from_their_decisions(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    decisions = [
        paid("a", 1_050, "EUR", {"card": "c1", "shop": "s1"}, "DECLINE"),
        paid("b", 700, "EUR", {"card": "c1"}, "ALLOW"),
        paid("c", 900, "JPY", {}, "ALLOW"),
        paid("d", 0, "", {"shop": "s1"}, "DECLINE"),  # decided by an older version
    ]
    write_proof(run.store, decisions, segments=1)
    write_labels(run.store, [label_frame(Strings.of([label("a", "FRAUD", 9), label("c", "FRAUD", 9)]))])
    summary = summarize(run)
    found = summary.findings
    assert [(one.currency, one.payments, one.fraud_minor("DECLINE"), one.fraud_minor("ALLOW")) for one in found.money] == [
        ("EUR", 2, 1_050, 0),
        ("JPY", 1, 0, 900),
    ]
    assert [(row.entity, row.id, row.payments, row.alerts, row.frauds) for row in found.entities] == [
        ("card", "c1", 2, 1, 1),
        ("shop", "s1", 2, 2, 1),
    ]
    assert [case.event_id for case in found.costliest[1].misses] == ["c"]
    assert summary.quality[0].entity == "card"


def test_evidence_without_payments_still_gives_a_report(tmp_path: Path) -> None:
    """Decisions in evidence of an older version have no columns of their payments."""
    run = live(tmp_path)
    whole = read_decisions(run.store)
    assert whole is not None
    write_decisions(run.store, [whole.drop("amount_minor", "currency", "entity_names", "entity_ids")])
    summary = summarize(run)
    assert (summary.findings.money, summary.findings.entities, summary.held.replay) == ((), (), "")
    assert summary.decisions == 3
