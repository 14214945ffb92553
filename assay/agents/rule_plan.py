"""A rules document as arrays for `rule_scorer`: one row per condition, grouped by rule.

A condition is `left * per OP times * right`, compared in float64; `per` and `right` are 1.0 when the document does not
name them. A rule fires when all its conditions hold. `per` states a comparison with a mean without a division:
`{feature: amount_minor, per: count, gt: {times: 5, feature: sum}}`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.agents.decision_policy import DecisionPolicy, read_policy, refuse
from assay.codecs.columns import I64
from assay.contracts.outcomes import FALLBACK_REASON, POSTURE_CLAMPED, POSTURE_MISSING

#: where a column is read from
NONE, LONG, DOUBLE, AMOUNT = -1, 0, 1, 2
OPERATORS = ("gt", "ge", "lt", "le", "eq", "ne")
#: points of one rule; the sum of them fits int64 for any number of rules that fits into memory
POINTS_MAX = 1_000_000
#: the largest number of a condition, which is compared in float64
FLOAT_MAX = sys.float_info.max
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class FeatureNames(Protocol):
    """The part of a feature plan that rules refer to: names in the order of the value matrices."""

    @property
    def long_names(self) -> Sequence[str]:
        """Names of the int64 features."""

    @property
    def double_names(self) -> Sequence[str]:
        """Names of the float64 features."""


class Condition(NamedTuple):
    """One comparison. Places are (source, index); source NONE stands for the number 1."""

    left: tuple[int, int]
    per: tuple[int, int]
    operator: int
    times: float
    right: tuple[int, int]
    text: str


class RulePlan(NamedTuple):
    """Rules ready to be scored, r of them with c conditions together.

    `starts` int64 (r + 1,): rule i has the conditions `starts[i]` up to `starts[i + 1]`. `points` int64 (r,).
    `conditions` int64 (c, 7): left, per, operator, right; places as two numbers each. `times` float64 (c,).
    """

    policy: DecisionPolicy
    codes: tuple[str, ...]
    texts: tuple[str, ...]
    features: tuple[tuple[str, ...], ...]
    starts: I64
    points: I64
    conditions: I64
    times: NDArray[np.float64]


def compile_rules(document: Mapping[str, Any], features: FeatureNames) -> RulePlan:
    """Check a rules document against the features it may use and lay it out.

    Raises Stop(RULES_DOCUMENT_INVALID) naming rule and field.
    """
    _closed(document, {"policy_id", "revision", "rules", "thresholds"}, "document", {"fallback"})
    rules = document["rules"]
    if not isinstance(rules, list) or not rules:
        refuse("document", "rules", "is not a list of at least one rule")
    places = _places(features)
    compiled = [_rule(rule, at, places) for at, rule in enumerate(rules)]
    codes = tuple(str(rule["code"]) for rule in rules)
    taken = {POSTURE_MISSING, POSTURE_CLAMPED, FALLBACK_REASON}
    for code in codes:
        if code in taken:
            refuse(code, "code", "is taken")
        taken.add(code)
    flat = [condition for conditions in compiled for condition in conditions]
    return RulePlan(
        policy=read_policy(document),
        codes=codes,
        texts=tuple(" and ".join(condition.text for condition in conditions) for conditions in compiled),
        features=tuple(_named(rule) for rule in rules),
        starts=np.cumsum([0, *(len(conditions) for conditions in compiled)]).astype(np.int64),
        points=np.array([rule["points"] for rule in rules], np.int64),
        conditions=np.array([[*c.left, *c.per, c.operator, *c.right] for c in flat], np.int64),
        times=np.array([c.times for c in flat], np.float64),
    )


def _places(features: FeatureNames) -> dict[str, tuple[int, int]]:
    places = {name: (LONG, at) for at, name in enumerate(features.long_names)}
    places |= {name: (DOUBLE, at) for at, name in enumerate(features.double_names)}
    return places | {"amount_minor": (AMOUNT, 0)}


def _rule(rule: Any, at: int, places: dict[str, tuple[int, int]]) -> list[Condition]:
    name = str(rule["code"]) if isinstance(rule, dict) and isinstance(rule.get("code"), str) else f"rules[{at}]"
    _closed(rule, {"code", "points", "when"}, name)
    if not isinstance(rule["code"], str) or not _CODE.fullmatch(rule["code"]):
        refuse(name, "code", "is not 1 to 64 characters of A-Z, 0-9 and _ starting with a letter")
    if type(rule["points"]) is not int or abs(rule["points"]) > POINTS_MAX:
        refuse(name, "points", f"is not an integer within ±{POINTS_MAX}")
    when = rule["when"]
    if not isinstance(when, list) or not when:
        refuse(name, "when", "is not a list of at least one condition")
    return [condition for entry in when for condition in _conditions(entry, name, places)]


def _conditions(entry: Any, rule: str, places: dict[str, tuple[int, int]]) -> list[Condition]:
    if not isinstance(entry, dict) or "feature" not in entry:
        refuse(rule, "when", "holds a condition without a feature")
    for field in entry:
        if field not in ("feature", "per", *OPERATORS):
            refuse(rule, f"when.{field}", f"is none of feature, per, {', '.join(OPERATORS)}")
    left = _place(entry["feature"], rule, "when.feature", places)
    per = _place(entry["per"], rule, "when.per", places) if "per" in entry else (NONE, 0)
    subject = f"{entry['feature']} * {entry['per']}" if "per" in entry else str(entry["feature"])
    found = []
    for operator in OPERATORS:
        if operator in entry:
            times, right, text = _right(entry[operator], rule, f"when.{operator}", places)
            found.append(Condition(left, per, OPERATORS.index(operator), times, right, f"{subject} {_SIGNS[operator]} {text}"))
    if not found:
        refuse(rule, "when", f"compares {entry['feature']} with nothing")
    return found


_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "=", "ne": "!="}


def _right(value: Any, rule: str, field: str, places: dict[str, tuple[int, int]]) -> tuple[float, tuple[int, int], str]:
    if not isinstance(value, dict):
        return _number(value, rule, field), (NONE, 0), str(value)
    if "feature" not in value or not set(value) <= {"feature", "times"}:
        refuse(rule, field, "is neither a number nor {times, feature}")
    right = _place(value["feature"], rule, f"{field}.feature", places)
    times = value.get("times", 1)
    text = str(value["feature"]) if times == 1 else f"{times} * {value['feature']}"
    return _number(times, rule, f"{field}.times"), right, text


def _number(value: Any, rule: str, field: str) -> float:
    if type(value) not in (int, float) or not -FLOAT_MAX <= value <= FLOAT_MAX:
        refuse(rule, field, "is not a finite number")
    return float(value)


def _place(name: Any, rule: str, field: str, places: dict[str, tuple[int, int]]) -> tuple[int, int]:
    if not isinstance(name, str) or name not in places:
        refuse(rule, field, f"names {name!r}, which the feature document does not define")
    return places[name]


def _named(rule: Mapping[str, Any]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for entry in rule["when"]:
        rights = [value["feature"] for value in entry.values() if isinstance(value, dict)]
        names |= dict.fromkeys([entry["feature"], *([entry["per"]] if "per" in entry else []), *rights])
    return tuple(names)


def _closed(value: Any, fields: set[str], name: str, optional: Collection[str] = ()) -> None:
    if not isinstance(value, Mapping):
        refuse(name, "value", "is not a mapping")
    for field in sorted(set(map(str, value)).difference(optional) ^ fields):
        refuse(name, field, "is missing" if field in fields else "is not a field of it")
