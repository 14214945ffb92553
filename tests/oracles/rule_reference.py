"""Rules read straight from the document, one row at a time: what `rule_scorer` must equal."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from assay.contracts.outcomes import OUTCOMES

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


def score_row(document: Mapping[str, Any], values: Mapping[str, float]) -> tuple[int, str, list[str]]:
    """Score, outcome and codes of the rules that fired, for one payment's values by name (amount_minor among them)."""
    fired = [rule for rule in document["rules"] if all(_holds(entry, values) for entry in rule["when"])]
    total = sum(int(rule["points"]) for rule in fired)
    reached = [name for name in OUTCOMES[1:] if name in document["thresholds"] and total >= document["thresholds"][name]]
    return total, reached[-1] if reached else OUTCOMES[0], [str(rule["code"]) for rule in fired]


def _holds(entry: Mapping[str, Any], values: Mapping[str, float]) -> bool:
    left = float(values[entry["feature"]]) * (float(values[entry["per"]]) if "per" in entry else 1.0)
    return all(_COMPARE[name](left, _right(entry[name], values)) for name in _COMPARE if name in entry)


def _right(value: Any, values: Mapping[str, float]) -> float:
    if isinstance(value, Mapping):
        return float(value.get("times", 1)) * float(values[value["feature"]])
    return float(value)
