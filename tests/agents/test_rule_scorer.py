"""The compiled scoring kernel against the document read row by row, for any number of rules."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.rule_reference import score_row

from assay.agents import rule_scorer
from assay.agents.rule_plan import OPERATORS, POINTS_MAX, compile_rules
from assay.agents.rule_scorer import RuleScorer
from assay.agents.scorer import Scored
from assay.codecs.columns import Columns
from assay.contracts.outcomes import OUTCOMES

LONGS, DOUBLES = ("a", "b"), ("x", "y")
NAMES = SimpleNamespace(long_names=LONGS, double_names=DOUBLES)
FIELDS = st.sampled_from([*LONGS, *DOUBLES, "amount_minor"])
NUMBERS = st.one_of(st.integers(-5, 5), st.sampled_from([0.1, -0.5, 2.5]))
RIGHTS = st.one_of(NUMBERS, st.builds(lambda times, feature: {"times": times, "feature": feature}, NUMBERS, FIELDS))
CONDITIONS = st.builds(
    lambda feature, per, compared: {"feature": feature, **({"per": per} if per else {}), **compared},
    FIELDS,
    st.none() | FIELDS,
    st.dictionaries(st.sampled_from(OPERATORS), RIGHTS, min_size=1, max_size=2),
)
WHENS = st.lists(CONDITIONS, min_size=1, max_size=3)
RULES = st.lists(st.tuples(st.integers(-40, 60), WHENS), min_size=1, max_size=12)
SMALL = st.integers(-4, 4)
REALS = st.sampled_from([-1.5, 0.0, 0.1, 0.5, 2.5])
ROWS = st.lists(st.tuples(SMALL, SMALL, REALS, REALS, st.integers(0, 6), st.booleans()), max_size=12)


def document(rules: list[Any]) -> dict[str, Any]:
    """A rules document of (points, conditions)."""
    listed = [{"code": f"R{at}", "points": points, "when": when} for at, (points, when) in enumerate(rules)]
    return {"policy_id": "p", "revision": "1", "rules": listed, "thresholds": {"STEP_UP": 1}}


def values(rows: list[Any]) -> Columns:
    """Columns of rows (a, b, x, y, amount, applied)."""
    return {
        "amount_minor": np.array([row[4] for row in rows], np.int64),
        "features.longs": np.array([row[:2] for row in rows], np.int64).reshape(len(rows), 2),
        "features.doubles": np.array([row[2:4] for row in rows], np.float64).reshape(len(rows), 2),
    }


def answers(scored: Scored) -> list[tuple[int, list[str]]]:
    """(score, codes) per row."""
    assert scored.contributions is None
    codes, offsets = scored.reasons.children["item"].text(), scored.reasons.offsets.tolist()
    return [(total, codes[a:b]) for total, a, b in zip(scored.score.tolist(), offsets, offsets[1:], strict=False)]


def expected(rules: dict[str, Any], rows: list[Any]) -> list[tuple[int, list[str]]]:
    """The same rows by the oracle. A row that is not applied scores nothing."""
    found = []
    for row in rows:
        score, _, codes = score_row(rules, dict(zip([*LONGS, *DOUBLES, "amount_minor"], row[:5], strict=True)))
        found.append((score, codes) if row[5] else (0, []))
    return found


def scored(rules: dict[str, Any], rows: list[Any]) -> list[tuple[int, list[str]]]:
    apply = np.array([row[5] for row in rows], np.bool_)
    return answers(RuleScorer(compile_rules(rules, NAMES)).score(values(rows), apply))


@settings(max_examples=drawn(60), deadline=None)
@given(RULES, ROWS)
def test_the_kernel_equals_the_document_read_row_by_row(rules: list[Any], rows: list[Any]) -> None:
    assert scored(document(rules), rows) == expected(document(rules), rows)


@settings(max_examples=drawn(15), deadline=None)
@given(RULES, ROWS, st.integers(201, 450), st.integers(0, 10))
def test_hundreds_of_rules_score_as_the_document_read_row_by_row(rules: list[Any], rows: list[Any], count: int, turn: int) -> None:
    """The drawn rules again and again under other codes, with points that tell them apart."""
    many = [(points + at, when) for at, (points, when) in ((at, rules[(at * 7 + turn) % len(rules)]) for at in range(count))]
    assert scored(document(many), rows) == expected(document(many), rows)


@pytest.mark.parametrize("room", [0, 1, 3, 64])
def test_rows_that_fire_more_rules_than_the_first_buffer_holds_lose_none(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_scorer, "FIRED_PER_ROW", room)
    rules = document([(1, [{"feature": "amount_minor", "ge": at}]) for at in range(300)])
    rows = [(0, 0, 0.0, 0.0, amount, amount != 299) for amount in (299, -1, 0, 150, 5, 298, 299, 297)]
    assert scored(rules, rows) == expected(rules, rows)


def test_a_batch_without_rows_has_no_answers() -> None:
    assert scored(document([(1, [{"feature": "a", "ge": 0}])]), []) == []


def test_a_score_beyond_32_bits_is_exact() -> None:
    rules = document([(POINTS_MAX - at, [{"feature": "a", "ge": 0}]) for at in range(3_000)])
    ((score, codes),) = scored(rules, [(0, 0, 0.0, 0.0, 0, True)])
    assert score == sum(POINTS_MAX - at for at in range(3_000)) > 2**31
    assert len(codes) == 3_000


def test_no_outcome_is_known_to_a_scorer() -> None:
    """Outcomes are the policy's: the same rules under other thresholds score the same."""
    rules = document([(50, [{"feature": "a", "ge": 0}])])
    rows = [(0, 0, 0.0, 0.0, 0, True)]
    assert scored({**rules, "thresholds": {OUTCOMES[3]: 50}}, rows) == scored(rules, rows)
