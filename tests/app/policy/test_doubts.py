"""Doubts about a policy are true: a rule that is said never to fire never fires, whatever the payment."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from backtests import decisions, ran
from effort import drawn
from gated_worlds import config_over, generated_world
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.rule_reference import score_row

from assay.agents.rule_plan import OPERATORS, compile_rules
from assay.app.cli import policy as command
from assay.app.policy.documents import Policy, load_policy, shipped_policies
from assay.app.policy.doubts import Doubt, doubts_of
from assay.app.policy.ranges import Range, ranges_of
from assay.tables.feature_plan import compile_plan

WINDOW = {"entity": "card", "window": "1d", "resolution": "1h"}
FEATURES: dict[str, Any] = {
    "feature_set": "f",
    "revision": "1",
    "entities": ["card", "shop"],
    "label_entities": ["card"],
    "features": [
        {"name": "n", "op": "count", **WINDOW},
        {"name": "s", "op": "sum", "value": "amount_minor", **WINDOW},
        {"name": "m", "op": "mean", "value": "amount_minor", **WINDOW},
        {"name": "z", "op": "zscore", "value": "amount_minor", **WINDOW},
        {"name": "d", "op": "distinct", "of": "shop", **WINDOW},
        {"name": "fc", "op": "fraud_count", **WINDOW},
        {"name": "fr", "op": "fraud_rate", **WINDOW},
        {"name": "last", "op": "since_last", "entity": "card"},
        {"name": "night", "op": "night", "to_hour": 6},
    ],
}
PLAN = compile_plan(FEATURES)
RANGES = ranges_of(PLAN.document)


def policy_of(rules: list[dict[str, Any]], **thresholds: int) -> Policy:
    document = {"policy_id": "p", "revision": "1", "rules": rules, "thresholds": thresholds or {"STEP_UP": 1}}
    return Policy("./mine", FEATURES, document, PLAN, compile_rules(document, PLAN))


def rule(*when: dict[str, Any], points: int = 10) -> dict[str, Any]:
    return {"code": "A", "points": points, "when": list(when)}


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ([{"feature": "fr", "ge": 20}], "fr is between 0 and 1, asked is at least 20"),
        ([{"feature": "fr", "gt": 1}], "fr is between 0 and 1, asked is more than 1"),
        ([{"feature": "night", "eq": 2}], "night is between 0 and 1, asked is exactly 2"),
        ([{"feature": "n", "lt": 0}], "n is 0 or more, asked is less than 0"),
        ([{"feature": "n", "eq": 2.5}], "n is 0 or more, asked is exactly 2.5"),
        ([{"feature": "last", "le": -2}], "last is -1 or more, asked is at most -2"),
        ([{"feature": "amount_minor", "lt": {"times": -1, "feature": "n"}}], "asked is less than -1 * n"),
        ([{"feature": "n", "per": "fc", "lt": 0}], "n * fc is 0 or more"),
        ([{"feature": "n", "ge": 5, "lt": 5}], "no value of n meets all that is asked of it"),
        ([{"feature": "n", "gt": 4, "lt": 5}], "no value of n meets all"),
        ([{"feature": "z", "ge": 3}, {"feature": "z", "lt": 2}], "no value of z meets all"),
    ],
)
def test_a_rule_that_can_never_fire_is_told_with_the_reason(when: list[dict[str, Any]], said: str) -> None:
    first = doubts_of(policy_of([rule(*when)]))[0]
    assert first.about == "A"
    assert first.text.startswith("can never fire: ")
    assert said in first.text


MANY = {"feature": "n", "ge": 5}


@pytest.mark.parametrize(
    ("policy", "doubts"),
    [
        (policy_of([rule(MANY, points=0)]), ["has no points: it is shown as a reason and decides nothing", "is never reached"]),
        (policy_of([rule({"feature": "n", "ge": 0})]), ["fires on every payment"]),
        (policy_of([rule(MANY, points=20)], STEP_UP=20, DECLINE=21), ["DECLINE from 21 is never reached: all rules that can fire give 20"]),
        (policy_of([rule(MANY)], STEP_UP=0), ["STEP_UP from 0 is reached without any reason"]),
        (policy_of([rule({"feature": "n", "ge": 5, "lt": 9}, {"feature": "z", "gt": 3.5}, points=1)]), []),
        (policy_of([rule({"feature": "m", "gt": 4, "lt": 5}, points=1)]), []),
    ],
)
def test_other_doubts_are_told_and_a_policy_that_can_be_meant_has_none(policy: Policy, doubts: list[str]) -> None:
    found = doubts_of(policy)
    assert len(found) == len(doubts)
    assert all(said in doubt.text for doubt, said in zip(found, doubts, strict=True))


@pytest.mark.parametrize("name", shipped_policies())
def test_the_shipped_policies_give_no_doubt(name: str) -> None:
    assert doubts_of(load_policy(name)) == []


NUMBERS = st.sampled_from([-2, -1, 0, 0.5, 1, 1.0, 2, 3, 20])
RIGHT = NUMBERS | st.builds(lambda times, name: {"times": times, "feature": name}, NUMBERS, st.sampled_from(sorted(RANGES)))
CONDITION = st.builds(
    lambda name, per, compared: {"feature": name, **({"per": per} if per else {}), **compared},
    st.sampled_from(sorted(RANGES)),
    st.none() | st.sampled_from(sorted(RANGES)),
    st.dictionaries(st.sampled_from(OPERATORS), RIGHT, min_size=1, max_size=2),
)


def value_in(name: str, there: Range) -> st.SearchStrategy[float]:
    low, high = max(there.low, -5), min(there.high, 25)
    whole = st.integers(math.ceil(low), math.floor(high))
    return whole if name not in PLAN.double_names else whole | st.floats(low, high)


VALUES = st.fixed_dictionaries({name: value_in(name, there) for name, there in RANGES.items()})


@settings(max_examples=drawn(600), deadline=None)
@given(st.lists(CONDITION, min_size=1, max_size=3), st.lists(VALUES, min_size=1, max_size=30))
def test_what_is_said_of_a_rule_holds_for_all_values_that_its_features_can_have(
    when: list[dict[str, Any]], values: list[dict[str, float]]
) -> None:
    policy = policy_of([rule(*when)])
    texts = [doubt.text for doubt in doubts_of(policy) if doubt.about == "A"]
    fired = {bool(score_row(policy.rules, value)[2]) for value in values}
    if any(text.startswith("can never fire") for text in texts):
        assert fired == {False}
    if any(text.startswith("fires on every") for text in texts):
        assert fired == {True}


@pytest.mark.parametrize("name", ["handbook", "transfers"])
def test_the_features_of_a_run_lie_in_their_ranges(name: str, tmp_path: Path) -> None:
    world = generated_world(tmp_path, name, 1_500, 9)
    found = decisions(ran(tmp_path, world, config_over(world, name)).log)
    plan = load_policy(name).feature_plan
    ranges = ranges_of(plan.document)
    seen = 0
    for record in found.values():
        for kind, names in (("longs", plan.long_names), ("doubles", plan.double_names)):
            for feature, value in zip(names, record["features"][kind], strict=True):
                assert ranges[feature].low <= value <= ranges[feature].high, feature
                seen += value != 0
    assert seen > 1_000


def test_the_check_prints_doubts_and_fails_for_them_when_it_is_asked_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handbook, path = load_policy("handbook"), tmp_path / "mine.yaml"
    never = {"code": "NEVER", "points": 0, "when": [{"feature": "terminal_fraud_rate_1d", "ge": 20}]}
    path.write_text(json.dumps({"features": handbook.features, "rules": {**handbook.rules, "rules": [*handbook.rules["rules"], never]}}))
    assert command.main(["check", str(path)]) == 0
    said = capsys.readouterr().out
    assert "doubt: NEVER can never fire: terminal_fraud_rate_1d is between 0 and 1, asked is at least 20" in said
    assert "doubt: NEVER has no points" in said
    assert command.main(["check", str(path), "--strict", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [Doubt(**doubt) for doubt in told["doubts"]] == doubts_of(load_policy(str(path)))
    assert told["entities"] == "customer, terminal"
    assert command.main(["check", "handbook", "--strict"]) == 0
    assert "doubt" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("currencies", "said"),
    [
        ({}, "a live run takes that of its first payment and refuses others"),
        ({"currencies": ["EUR"]}, "EUR; a live run refuses payments in others"),
        ({"currencies": ["EUR", "USD"]}, "EUR, USD: added as they are, no rate is applied; a live run refuses"),
        ({"currencies": "any"}, "amounts of all currencies are added as they are"),
    ],
)
def test_the_check_says_what_currencies_mean_in_a_live_run(
    currencies: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    rules = policy_of([rule({"feature": "n", "ge": 5})]).rules
    path.write_text(json.dumps({"features": {**FEATURES, **currencies}, "rules": rules}))
    assert command.main(["check", str(path), "--json"]) == 0
    assert said in json.loads(capsys.readouterr().out)["currencies"]
