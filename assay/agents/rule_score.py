"""Rules over feature values: an integer score, an outcome and the set of rules that fired, row by row."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.agents.rule_plan import RulePlan
from assay.codecs.columns import I64
from assay.codecs.kernel import frozen, kernel, part


class Scored(NamedTuple):
    """One row per input row. Bit r of `fired` is rule r of the document; rows not applied hold zeros."""

    score: I64
    outcome: NDArray[np.int8]
    fired: NDArray[np.uint64]


def score(plan: RulePlan, longs: I64, doubles: NDArray[np.float64], amount_minor: I64, apply: NDArray[np.bool_]) -> Scored:
    """Score rows where `apply` holds. `longs` is (n, L) int64, `doubles` (n, D) float64, in document order."""
    n = len(amount_minor)
    scored = Scored(np.zeros(n, np.int64), np.zeros(n, np.int8), np.zeros(n, np.uint64))
    arrays = tuple(frozen(array, array.dtype) for array in (plan.starts, plan.points, plan.conditions, plan.times, plan.thresholds))
    values = (frozen(longs, np.int64), frozen(doubles, np.float64), frozen(amount_minor, np.int64), frozen(apply, np.bool_))
    _score(arrays, values, scored.score, scored.outcome, scored.fired)
    return scored


@part
def _value(source: int, at: int, i: int, longs: Any, doubles: Any, amount_minor: Any) -> Any:
    """The number at a place, 1.0 for none. Source numbers are those of `rule_plan`."""
    if source == 0:
        return np.float64(longs[i, at])
    if source == 1:
        return doubles[i, at]
    if source == 2:
        return np.float64(amount_minor[i])
    return 1.0


@part
def _holds(operator: int, left: float, right: float) -> bool:
    """Operator numbers are positions in `rule_plan.OPERATORS`."""
    if operator == 0:
        return left > right
    if operator == 1:
        return left >= right
    if operator == 2:
        return left < right
    if operator == 3:
        return left <= right
    if operator == 4:
        return left == right
    return left != right


@kernel
def _score(plan: Any, values: Any, total: Any, outcome: Any, fired: Any) -> None:
    """Fill total, outcome and fired. A rule stops at its first condition that does not hold."""
    starts, points, conditions, times, thresholds = plan
    longs, doubles, amount_minor, apply = values
    for i in range(len(amount_minor)):
        if not apply[i]:
            continue
        points_sum = np.int64(0)
        bits = np.uint64(0)
        for rule in range(len(points)):
            holds = True
            for c in range(starts[rule], starts[rule + 1]):
                left = _value(conditions[c, 0], conditions[c, 1], i, longs, doubles, amount_minor)
                left = left * _value(conditions[c, 2], conditions[c, 3], i, longs, doubles, amount_minor)
                right = times[c] * _value(conditions[c, 5], conditions[c, 6], i, longs, doubles, amount_minor)
                if not _holds(conditions[c, 4], left, right):
                    holds = False
                    break
            if holds:
                points_sum += points[rule]
                bits |= np.uint64(1) << np.uint64(rule)
        total[i] = points_sum
        fired[i] = bits
        for level in range(len(thresholds)):
            if points_sum >= thresholds[level]:
                outcome[i] = level + 1
