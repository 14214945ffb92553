"""Rules as a scorer: the sum of the points of the rules that fire, and their codes as reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.agents.rule_plan import RulePlan
from assay.agents.scorer import Scored
from assay.codecs.columns import I32, I64, Ragged, Strings
from assay.codecs.kernel import kernel, part

F64: TypeAlias = NDArray[np.float64]

#: the first buffer of fired rules has room for so many per row
FIRED_PER_ROW = 8


class RuleScorer:
    """A scorer (see `scorer.py`) of a compiled rules document.

    The score is in points. The reasons are the codes of the rules that fired, in the order of the document. No contributions.
    """

    reads = ("amount_minor", "features.longs", "features.doubles")

    def __init__(self, plan: RulePlan) -> None:
        self._codes = Strings.of(plan.codes)
        self._plan = plan

    def score(self, columns: Mapping[str, Any], apply: NDArray[np.bool_]) -> Scored:
        """Score rows where `apply` holds. Feature values are in document order: longs int64 (n, L), doubles float64 (n, D)."""
        amount_minor, longs, doubles = columns["amount_minor"], columns["features.longs"], columns["features.doubles"]
        plan, codes, n = self._plan, self._codes, len(apply)
        total, offsets = np.empty(n, np.int64), np.empty(n + 1, np.int64)
        room = n * min(len(codes.lengths), FIRED_PER_ROW)
        starts, lengths = np.empty(room, np.int64), np.empty(room, np.int32)
        offsets[0] = row = 0
        while True:
            row = _score(
                plan.starts,
                plan.points,
                plan.conditions,
                plan.times,
                longs,
                doubles,
                amount_minor,
                apply,
                codes.starts,
                codes.lengths,
                total,
                offsets,
                starts,
                lengths,
                row,
            )
            listed = int(offsets[row])
            if row == n:
                return Scored(total, Ragged(offsets, {"item": Strings(codes.data, starts[:listed], lengths[:listed])}))
            # rows fire more rules than there is room for: it goes on with more room at that row
            room = max(2 * len(starts), listed + len(codes.lengths))
            starts, lengths = np.resize(starts, room), np.resize(lengths, room)


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
def _score(
    starts: I64,
    points: I64,
    conditions: I64,
    times: F64,
    longs: I64,
    doubles: F64,
    amount_minor: I64,
    apply: NDArray[np.bool_],
    code_starts: I64,
    code_lengths: I32,
    total: I64,
    offsets: I64,
    fired_starts: I64,
    fired_lengths: I32,
    first: int,
) -> int:
    """Fill `total`, `offsets` and the codes of the rules that fired, row after row, from row `first` on.

    A rule stops at its first condition that does not hold. Gives the number of rows, or the first row for whose codes there is no room.
    """
    for i in range(first, len(amount_minor)):
        points_sum = np.int64(0)
        at = offsets[i]
        for rule in range(len(points) if apply[i] else 0):
            holds = True
            for c in range(starts[rule], starts[rule + 1]):
                left = _value(conditions[c, 0], conditions[c, 1], i, longs, doubles, amount_minor)
                left = left * _value(conditions[c, 2], conditions[c, 3], i, longs, doubles, amount_minor)
                right = times[c] * _value(conditions[c, 5], conditions[c, 6], i, longs, doubles, amount_minor)
                if not _holds(conditions[c, 4], left, right):
                    holds = False
                    break
            if holds:
                if at == len(fired_starts):
                    return i
                points_sum += points[rule]
                fired_starts[at], fired_lengths[at] = code_starts[rule], code_lengths[rule]
                at += 1
        total[i] = points_sum
        offsets[i + 1] = at
    return len(amount_minor)
