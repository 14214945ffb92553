"""From scores to outcomes and reasons: thresholds and posture, the same for every scorer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from decision_rows import PINS
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.agents.decided_rows import RowDecider
from assay.agents.decision_policy import SCORE_MAX, DecisionPolicy, read_policy, to_decide
from assay.codecs.columns import Columns, Ragged, Strings, settled_columns
from assay.contracts.errors import Stop
from assay.contracts.outcomes import OUTCOMES, POSTURE_CLAMPED, POSTURE_MISSING, Outcome
from assay.contracts.reasons import Reason
from assay.tables.row_kinds import CONTEXT, LABEL, PAYMENT, POSTURE, RUN_READY

SCORES = st.integers(-4, 12)
THRESHOLDS = st.dictionaries(st.sampled_from(OUTCOMES[1:]), st.none(), min_size=1).flatmap(
    lambda names: st.lists(SCORES, min_size=len(names), max_size=len(names), unique=True).map(
        lambda levels: dict(zip([outcome.value for outcome in OUTCOMES if outcome in names], sorted(levels), strict=True))
    )
)
ROWS = st.lists(st.tuples(SCORES, st.lists(st.sampled_from(["A", "BB", "CCC"]), max_size=3), st.booleans(), st.booleans()), max_size=9)


def document(thresholds: dict[str, Any]) -> dict[str, Any]:
    return {"policy_id": "p", "revision": "1", "rules": [], "thresholds": thresholds}


def columns(rows: list[tuple[int, list[str], bool, bool]]) -> Columns:
    """Columns of (score, reasons, clamps, missing)."""
    n, offsets = len(rows), np.cumsum([0, *(len(codes) for _, codes, _, _ in rows)])
    return {
        "kind": np.full(n, PAYMENT, np.int8),
        "event_id": Strings.of(f"e{row}" for row in range(n)),
        "features.longs": np.zeros((n, 2), np.int64),
        "features.doubles": np.zeros((n, 1), np.float64),
        "score": np.array([score for score, *_ in rows], np.int64),
        "reasons": Ragged(offsets, {"item": Strings.of(code for _, codes, _, _ in rows for code in codes)}),
        "posture.clamps": np.array([clamps for *_, clamps, _ in rows], np.bool_),
        "posture.missing": np.array([missing for *_, missing in rows], np.bool_),
    }


def answers(policy: DecisionPolicy, given: Columns) -> list[tuple[str | None, list[str | None]]]:
    """Outcome and reasons of every row."""
    n = len(np.asarray(given["kind"]))
    decided = RowDecider(policy, PINS, bytes(32)).decide(settled_columns(given), np.ones(n, np.bool_))
    return [] if decided is None else list(zip(decided.outcome.text(), lists(decided.reasons), strict=True))


def lists(reasons: Ragged) -> list[list[str | None]]:
    codes, offsets = reasons.children["item"].text(), reasons.offsets.tolist()
    return [codes[first:end] for first, end in zip(offsets, offsets[1:], strict=False)]


def one_by_one(thresholds: dict[str, int], row: tuple[int, list[str], bool, bool]) -> tuple[str, list[str]]:
    """The answer to one row in plain Python."""
    score, codes, clamps, missing = row
    outcome = ([name for name in OUTCOMES if name in thresholds and score >= thresholds[name]] or [Outcome.ALLOW])[-1]
    clamped = clamps and outcome is Outcome.ALLOW
    more = [POSTURE_MISSING] * missing + [POSTURE_CLAMPED] * clamped
    return (Outcome.STEP_UP if clamped else outcome).value, [*codes, *more]


@settings(max_examples=drawn(150), deadline=None)
@given(THRESHOLDS, ROWS)
def test_answers_are_those_of_rows_read_one_by_one(thresholds: dict[str, int], rows: list[tuple[int, list[str], bool, bool]]) -> None:
    assert answers(read_policy(document(thresholds)), columns(rows)) == [one_by_one(thresholds, row) for row in rows]


@pytest.mark.parametrize(
    ("score", "clamps", "missing", "outcome", "reasons"),
    [
        (0, False, False, "ALLOW", ["A"]),
        (0, True, False, "STEP_UP", ["A", POSTURE_CLAMPED]),
        (0, True, True, "STEP_UP", ["A", POSTURE_MISSING, POSTURE_CLAMPED]),
        (29, True, False, "STEP_UP", ["A", POSTURE_CLAMPED]),
        (30, True, False, "STEP_UP", ["A"]),
        (60, True, False, "QUEUE_REVIEW", ["A"]),
        (90, True, True, "DECLINE", ["A", POSTURE_MISSING]),
        (SCORE_MAX, False, False, "DECLINE", ["A"]),
        (-SCORE_MAX - 1, False, False, "ALLOW", ["A"]),
    ],
)
def test_the_posture_clamps_allow_and_nothing_else(score: int, clamps: bool, missing: bool, outcome: str, reasons: list[str]) -> None:
    policy = read_policy(document({"STEP_UP": 30, "QUEUE_REVIEW": 60, "DECLINE": 90}))
    assert answers(policy, columns([(score, ["A"], clamps, missing)])) == [(outcome, reasons)]


@pytest.mark.parametrize(
    ("kind", "live", "decided"),
    [(PAYMENT, True, True), (PAYMENT, False, False), *((kind, True, False) for kind in (RUN_READY, POSTURE, LABEL, CONTEXT))],
)
def test_decisions_are_about_live_payments(kind: int, live: bool, decided: bool) -> None:
    assert to_decide({"kind": np.array([kind], np.int8)}, np.array([live])).tolist() == [decided]


@pytest.mark.parametrize("threshold", [SCORE_MAX + 1, -SCORE_MAX - 1, 2**70])
def test_a_threshold_that_no_score_can_have_is_refused(threshold: int) -> None:
    with pytest.raises(Stop) as refusal:
        read_policy(document({"STEP_UP": threshold}))
    assert refusal.value.reason is Reason.RULES_DOCUMENT_INVALID
    assert "thresholds.STEP_UP of document is not an integer of 64 bits" in refusal.value.what


def test_the_largest_threshold_is_reached_by_the_largest_score_alone() -> None:
    policy = read_policy(document({"DECLINE": SCORE_MAX}))
    rows = [(SCORE_MAX, list[str](), False, False), (SCORE_MAX - 1, list[str](), False, False)]
    assert [outcome for outcome, _ in answers(policy, columns(rows))] == ["DECLINE", "ALLOW"]


def test_codes_of_another_buffer_are_read_from_it() -> None:
    """One decider, batch after batch: a scorer may bring its codes in a new buffer each time."""
    decider = RowDecider(read_policy(document({"DECLINE": 5})), PINS, bytes(32))
    found = []
    for codes in (["A"], ["BB", "CCC"], ["D"]):
        decided = decider.decide(settled_columns(columns([(0, codes, False, True)])), np.ones(1, np.bool_))
        assert decided is not None
        found += lists(decided.reasons)
    assert found == [["A", POSTURE_MISSING], ["BB", "CCC", POSTURE_MISSING], ["D", POSTURE_MISSING]]
