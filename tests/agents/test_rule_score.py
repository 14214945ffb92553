"""The compiled scoring kernel against the document read row by row."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.rule_reference import score_row

from assay.agents.rule_plan import OPERATORS, RULES_MAX, compile_rules
from assay.agents.rule_score import score
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
RULES = st.lists(st.tuples(st.integers(-40, 60), st.lists(CONDITIONS, min_size=1, max_size=3)), min_size=1, max_size=RULES_MAX)
SMALL = st.integers(-4, 4)
REALS = st.sampled_from([-1.5, 0.0, 0.1, 0.5, 2.5])
ROWS = st.lists(st.tuples(SMALL, SMALL, REALS, REALS, st.integers(0, 6), st.booleans()), max_size=12)


@settings(max_examples=60, deadline=None)
@given(RULES, ROWS, st.lists(st.integers(-50, 120), min_size=3, max_size=3, unique=True))
def test_the_kernel_equals_the_document_read_row_by_row(rules: list[Any], rows: list[Any], levels: list[int]) -> None:
    document = {
        "policy_id": "p",
        "revision": "1",
        "rules": [{"code": f"R{at}", "points": points, "when": when} for at, (points, when) in enumerate(rules)],
        "thresholds": dict(zip(OUTCOMES[1:], sorted(levels), strict=True)),
    }
    plan = compile_rules(document, NAMES)
    longs = np.array([row[:2] for row in rows], np.int64).reshape(len(rows), 2)
    doubles = np.array([row[2:4] for row in rows], np.float64).reshape(len(rows), 2)
    apply = np.array([row[5] for row in rows], np.bool_)
    scored = score(plan, longs, doubles, np.array([row[4] for row in rows], np.int64), apply)
    for i, row in enumerate(rows):
        found = (int(scored.score[i]), OUTCOMES[scored.outcome[i]], [c for r, c in enumerate(plan.codes) if int(scored.fired[i]) >> r & 1])
        values = dict(zip([*LONGS, *DOUBLES, "amount_minor"], row[:5], strict=True))
        assert found == (score_row(document, values) if row[5] else (0, "ALLOW", []))


def test_the_last_rule_has_a_bit_of_its_own() -> None:
    rules = [{"code": f"R{at}", "points": 1, "when": [{"feature": "amount_minor", "ge": at}]} for at in range(RULES_MAX)]
    plan = compile_rules({"policy_id": "p", "revision": "1", "rules": rules, "thresholds": {"STEP_UP": RULES_MAX}}, NAMES)
    scored = score(plan, np.zeros((1, 2), np.int64), np.zeros((1, 2)), np.array([RULES_MAX], np.int64), np.ones(1, np.bool_))
    assert int(scored.fired[0]) == 2**RULES_MAX - 1
    assert (int(scored.score[0]), OUTCOMES[scored.outcome[0]]) == (RULES_MAX, "STEP_UP")
