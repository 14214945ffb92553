"""What was told to who waited is held against what was decided."""

from __future__ import annotations

import polars as pl
import pytest
from gate_events import SCOPE

from assay.app.gate.answer_record import Asked, Said, record_of
from assay.app.report.evidence import AnswerCounts
from assay.app.report.told_answers import answers_text, count_answers
from assay.codecs.single_object import pack
from assay.contracts.pins import PIN_NAMES, Pins

PINS = Pins(**{name: SCOPE[name] for name in PIN_NAMES})  # type: ignore[arg-type]
POLICY = {"policy_id": "p", "revision": "1", "content_digest": bytes(32)}


def told(event_id: str, answered: str, outcome: str) -> bytes:
    asked = Asked(event_id, "ADMIT", "r", 300, 1, 1)
    return pack("decide_answer", record_of(PINS.as_avro(), asked, Said(answered, outcome, 0, (), "", POLICY)))


def decided(**outcomes: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"event_id": list(outcomes), "outcome": list(outcomes.values())}, schema={"event_id": pl.String, "outcome": pl.String}
    )


@pytest.mark.parametrize(
    ("values", "decisions", "counts"),
    [
        ([], decided(a="ALLOW"), AnswerCounts(told=0, fallbacks=0, differing=0, undecided=0)),
        ([told("a", "DECISION", "ALLOW")], decided(a="ALLOW", b="DECLINE"), AnswerCounts(told=1, fallbacks=0, differing=0, undecided=0)),
        ([told("a", "FALLBACK", "STEP_UP")], decided(a="STEP_UP"), AnswerCounts(told=1, fallbacks=1, differing=0, undecided=0)),
        ([told("a", "FALLBACK", "STEP_UP")], decided(a="DECLINE"), AnswerCounts(told=1, fallbacks=1, differing=1, undecided=0)),
        ([told("a", "FALLBACK", "STEP_UP")], decided(b="DECLINE"), AnswerCounts(told=1, fallbacks=1, differing=0, undecided=1)),
        ([told("a", "FALLBACK", "STEP_UP")], None, AnswerCounts(told=1, fallbacks=1, differing=0, undecided=1)),
        (
            [told("a", "FALLBACK", "STEP_UP"), None, told("a", "DECISION", "DECLINE")],
            decided(a="DECLINE"),
            AnswerCounts(told=1, fallbacks=0, differing=0, undecided=0),
        ),
    ],
    ids=[
        "none",
        "as decided",
        "fallback as decided",
        "fallback other than decided",
        "refused by a lane",
        "no decisions",
        "the last counts",
    ],
)
def test_answers_are_counted_by_what_was_told_last(
    values: list[bytes | None], decisions: pl.DataFrame | None, counts: AnswerCounts
) -> None:
    assert count_answers(values, decisions) == counts


def test_counts_read_as_a_line() -> None:
    counts = AnswerCounts(told=1_200, fallbacks=3, differing=2, undecided=0)
    assert answers_text(counts) == "answers: 1,200 told · 3 at the deadline · 2 other than the decision"
    assert answers_text(counts.model_copy(update={"undecided": 1})).endswith(" · 1 without a decision")
