"""The page on rules is executed: every rule on it over the values beside it, by the compiled rules and by the plain reference."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from oracles.rule_reference import score_row
from source_tree import ROOT

from assay.agents.decision_policy import read_policy
from assay.agents.rule_plan import OPERATORS, compile_rules
from assay.agents.rule_scorer import RuleScorer
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.testing import Simulation

PAGE = (ROOT / "assay" / "contracts" / "policies" / "rules.md").read_text(encoding="utf-8")
_EXAMPLE = re.compile(r"^```yaml\n(?P<rules>(?:(?!```).*\n)*)```\n\n(?P<table>(?:\|.*\n)+)", re.MULTILINE)
ANSWERS = ("fires", "score", "reasons", "outcome")
THRESHOLDS = {"STEP_UP": 30, "QUEUE_REVIEW": 60, "DECLINE": 90}


class Names(NamedTuple):
    """The features of an example."""

    long_names: Sequence[str]
    double_names: Sequence[str]


class Case(NamedTuple):
    """A document, the values of one payment, and what the page says of it."""

    document: Mapping[str, Any]
    values: Mapping[str, float]
    said: Mapping[str, str]


def rows_of(table: str) -> list[dict[str, str]]:
    """The rows of a Markdown table by its heads."""
    heads, _, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.strip().splitlines())
    return [dict(zip(heads, row, strict=True)) for row in rows]


def number(text: str) -> float:
    return float(text) if "." in text else int(text)


def cases() -> list[Case]:
    found = []
    for example in _EXAMPLE.finditer(PAGE):
        written = yaml.safe_load(example["rules"])
        document = written if isinstance(written, dict) else {"policy_id": "p", "revision": "1", "rules": written, "thresholds": THRESHOLDS}
        for row in rows_of(example["table"]):
            values = {name: number(text) for name, text in row.items() if name not in ANSWERS}
            found.append(Case(document, values, {name: text for name, text in row.items() if name in ANSWERS}))
    return found


def decided(case: Case) -> tuple[int, str, list[str]]:
    """Score, outcome and reasons as the compiled rules give them."""
    names = [name for name in case.values if name != "amount_minor"]
    longs, doubles = ([name for name in names if isinstance(case.values[name], kind)] for kind in (int, float))
    columns = {
        "amount_minor": np.array([case.values.get("amount_minor", 0)], np.int64),
        "features.longs": np.array([[case.values[name] for name in longs]], np.int64).reshape(1, -1),
        "features.doubles": np.array([[case.values[name] for name in doubles]], np.float64).reshape(1, -1),
    }
    scored = RuleScorer(compile_rules(case.document, Names(longs, doubles))).score(columns, np.ones(1, np.bool_))
    policy, score = read_policy(case.document), int(scored.score[0])
    outcome = int(policy.outcomes[np.searchsorted(policy.thresholds, score, "right")])
    reasons = [code or "" for code in scored.reasons.children["item"].text()]
    return score, ("ALLOW", "STEP_UP", "QUEUE_REVIEW", "DECLINE")[outcome], reasons


@pytest.mark.parametrize("case", cases(), ids=lambda case: " ".join(f"{name}={value}" for name, value in case.values.items()))
def test_a_rule_of_the_page_does_what_is_written_beside_it(case: Case) -> None:
    score, outcome, reasons = decided(case)
    told = {"score": str(score), "outcome": outcome, "reasons": " ".join(reasons), "fires": "yes" if reasons else "no"}
    assert {name: told[name] for name in case.said} == case.said
    assert (score, outcome, reasons) == score_row(case.document, {"amount_minor": 0, **case.values})


def test_every_construct_has_an_example_that_fires_and_that_does_not() -> None:
    met: set[str] = set()
    for case in cases():
        for rule in case.document["rules"]:
            for condition in rule["when"]:
                rights = [value for value in condition.values() if isinstance(value, dict)]
                met |= set(condition) | {name for right in rights for name in right}
    assert met == {"feature", "per", "times", *OPERATORS}
    assert {"yes", "no"} == {case.said["fires"] for case in cases() if "fires" in case.said}
    assert all(f"| `{name}` |" in PAGE for name in OPERATORS)
    assert len(cases()) >= 30


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def feature_of(row: Mapping[str, str]) -> dict[str, Any]:
    """The feature of a row, with what the page leaves out."""
    given: dict[str, Any] = yaml.safe_load(row["feature"].strip("`"))
    window = {} if given["op"] == "since_last" else {"window": "1d", "resolution": "1h"}
    more = {
        "sum": {"value": "amount_minor"},
        "mean": {"value": "amount_minor"},
        "zscore": {"value": "amount_minor"},
        "distinct": {"of": "shop"},
    }
    return {"name": "told", "entity": "card", **window, **more.get(given["op"], {}), **given}


UNKNOWN = rows_of("".join(re.findall(r"^\|.*\n", section("Values that are not known").partition("```")[0], re.MULTILINE)))


@pytest.mark.parametrize("row", UNKNOWN, ids=lambda row: row["feature"])
def test_what_is_not_known_reads_as_the_page_says(row: Mapping[str, str]) -> None:
    document = {
        "feature_set": "f",
        "revision": "1",
        "entities": ["card", "shop"],
        "label_entities": ["card"],
        "features": [feature_of(row)],
    }
    rules = {
        "policy_id": "p", "revision": "1", "thresholds": THRESHOLDS,
        "rules": [{"code": "A", "points": 1, "when": [{"feature": "amount_minor", "ge": 0}]}],
    }  # fmt: skip
    read = []
    for card in (None, "card-1"):
        simulation = Simulation(features=document, rules=rules)
        simulation.payment(amount_minor=2_500, card=card)
        read.append(simulation.run()[0].features["told"])
    assert [str(value) for value in read] == [row["without the id"], row["first payment"]]


def test_every_operation_is_among_the_values_that_are_not_known() -> None:
    told = {feature_of(row)["op"] for row in UNKNOWN}
    assert told == {"count", "sum", "distinct", "mean", "zscore", "fraud_count", "fraud_rate", "since_last"}


@pytest.mark.parametrize(
    "row", rows_of("".join(re.findall(r"^\|.*\n", section("What is refused"), re.MULTILINE))), ids=lambda row: row["written"]
)
def test_what_the_page_calls_refused_is_refused_for_that(row: Mapping[str, str]) -> None:
    rule = yaml.safe_load(row["written"].strip("`"))
    document = {"policy_id": "p", "revision": "1", "rules": [rule], "thresholds": THRESHOLDS}
    with pytest.raises(Stop) as refused:
        compile_rules(document, Names(["card_count"], []))
    assert refused.value.reason is Reason.RULES_DOCUMENT_INVALID
    assert row["refused, because it"] in refused.value.what
