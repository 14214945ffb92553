"""What a rules document may say, and that every refusal names rule and field."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from assay.agents.decision_policy import fallback_of
from assay.agents.rule_plan import POINTS_MAX, compile_rules
from assay.contracts.errors import Stop
from assay.contracts.outcomes import OUTCOMES, Outcome
from assay.contracts.reasons import Reason

NAMES = SimpleNamespace(long_names=("count_1d", "since_s"), double_names=("mean_7d",))
DOCUMENT: dict[str, Any] = {
    "policy_id": "sample",
    "revision": "1",
    "rules": [
        {"code": "MANY", "points": 30, "when": [{"feature": "count_1d", "ge": 6}]},
        {
            "code": "LARGE",
            "points": 25,
            "when": [{"feature": "amount_minor", "gt": {"times": 5, "feature": "mean_7d"}}, {"feature": "count_1d", "gt": 0}],
        },
    ],
    "thresholds": {"STEP_UP": 30, "DECLINE": 50},
}


def test_a_document_compiles_to_one_row_per_condition() -> None:
    plan = compile_rules(DOCUMENT, NAMES)
    assert plan.codes == ("MANY", "LARGE")
    assert plan.starts.tolist() == [0, 1, 3]
    assert plan.points.tolist() == [30, 25]
    assert plan.times.tolist() == [6.0, 5.0, 0.0]
    assert plan.texts == ("count_1d >= 6", "amount_minor > 5 * mean_7d and count_1d > 0")
    assert plan.features == (("count_1d",), ("amount_minor", "mean_7d", "count_1d"))
    assert len(plan.policy.digest) == 32


def test_thresholds_become_outcomes_of_the_policy() -> None:
    policy = compile_rules(DOCUMENT, NAMES).policy
    assert (policy.policy_id, policy.revision) == ("sample", "1")
    assert policy.thresholds.tolist() == [30, 50]
    assert [OUTCOMES[at].value for at in policy.outcomes.tolist()] == ["ALLOW", "STEP_UP", "DECLINE"]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_document_may_name_what_is_answered_without_a_decision(outcome: str) -> None:
    document = {**DOCUMENT, "fallback": {"outcome": outcome}}
    assert fallback_of(document) == outcome
    assert compile_rules(document, NAMES).policy.digest != compile_rules(DOCUMENT, NAMES).policy.digest


def test_without_a_name_the_answer_is_the_mildest_that_the_fail_safe_posture_leaves() -> None:
    assert fallback_of(DOCUMENT) == Outcome.STEP_UP


@pytest.mark.parametrize("count", [1, 62, 63, 5_000])
def test_a_document_has_any_number_of_rules(count: int) -> None:
    rules = [{**DOCUMENT["rules"][0], "code": f"R{at}"} for at in range(count)]
    assert len(compile_rules({**DOCUMENT, "rules": rules}, NAMES).codes) == count


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    turned = {key: DOCUMENT[key] for key in reversed(DOCUMENT)}
    assert compile_rules(turned, NAMES).policy.digest == compile_rules(DOCUMENT, NAMES).policy.digest


def test_the_digest_changes_with_one_threshold() -> None:
    other = copy.deepcopy(DOCUMENT)
    other["thresholds"]["STEP_UP"] = 31
    assert compile_rules(other, NAMES).policy.digest != compile_rules(DOCUMENT, NAMES).policy.digest


def _at(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        place: Any = document
        for step in way:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (_at("policy_id", None), "policy_id of document is missing"),
        (_at("revision", 1), "revision of document is not a non-empty string"),
        (_at("extra", 1), "extra of document is not a field"),
        (_at("rules", []), "rules of document is not a list"),
        (_at("rules", {}), "rules of document is not a list"),
        (_at("rules.0", 7), "value of rules[0] is not a mapping"),
        (_at("rules.0.code", "many"), "code of many is not"),
        (_at("rules.0.code", "POSTURE_MISSING_FAIL_SAFE"), "code of POSTURE_MISSING_FAIL_SAFE is taken"),
        (_at("rules.0.code", "ACTION_POSTURE_CLAMPED"), "code of ACTION_POSTURE_CLAMPED is taken"),
        (_at("rules.1.code", "MANY"), "code of MANY is taken"),
        (_at("rules.0.points", True), "points of MANY is not an integer"),
        (_at("rules.0.points", 1.5), "points of MANY is not an integer"),
        (_at("rules.0.points", POINTS_MAX + 1), "points of MANY is not an integer"),
        (_at("rules.0.points", None), "points of MANY is missing"),
        (_at("rules.0.when", []), "when of MANY is not a list"),
        (_at("rules.0.when.0", {"ge": 6}), "when of MANY holds a condition without a feature"),
        (_at("rules.0.when.0", {"feature": "count_1d"}), "when of MANY compares count_1d with nothing"),
        (_at("rules.0.when.0.above", 6), "when.above of MANY is none of"),
        (_at("rules.0.when.0.feature", "count_9d"), "when.feature of MANY names 'count_9d'"),
        (_at("rules.0.when.0.per", "count_9d"), "when.per of MANY names 'count_9d'"),
        (_at("rules.0.when.0.ge", float("nan")), "when.ge of MANY is not a finite number"),
        (_at("rules.0.when.0.ge", "6"), "when.ge of MANY is not a finite number"),
        (_at("rules.0.when.0.ge", 10**400), "when.ge of MANY is not a finite number"),
        (_at("rules.0.when.0.ge", {"times": 5}), "when.ge of MANY is neither a number nor"),
        (_at("rules.1.when.0.gt.feature", "mean_9d"), "when.gt.feature of LARGE names 'mean_9d'"),
        (_at("rules.1.when.0.gt.times", False), "when.gt.times of LARGE is not a finite number"),
        (_at("rules.0.code", "DEADLINE_PASSED"), "code of DEADLINE_PASSED is taken"),
        (_at("fallback", {}), "fallback of document is not {outcome: NAME}"),
        (_at("fallback", "DECLINE"), "fallback of document is not {outcome: NAME}"),
        (_at("fallback", {"outcome": "REVIEW"}), "fallback.outcome of document is none of ALLOW, STEP_UP, QUEUE_REVIEW, DECLINE"),
        (_at("fallback", {"outcome": ["DECLINE"]}), "fallback.outcome of document is none of"),
        (_at("thresholds", {}), "thresholds of document is not a mapping"),
        (_at("thresholds.BLOCK", 90), "thresholds.BLOCK of document is none of"),
        (_at("thresholds.STEP_UP", 30.5), "thresholds.STEP_UP of document is not an integer"),
        (_at("thresholds.STEP_UP", 50), "thresholds of document do not rise"),
    ],
)
def test_a_document_that_cannot_be_meant_is_refused(change: Callable[[dict[str, Any]], None], names: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    with pytest.raises(Stop) as refusal:
        compile_rules(document, NAMES)
    assert refusal.value.reason is Reason.RULES_DOCUMENT_INVALID
    assert names in refusal.value.what
