"""From scores to outcomes: the same for every scorer.

A policy states the lowest score of each outcome. The posture in force may turn ALLOW into STEP_UP. The reasons of the posture
follow those of the scorer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64, Column, Columns, Ragged, Strings
from assay.codecs.kernel import frozen, kernel
from assay.contracts.canonical import document_digest
from assay.contracts.errors import Stop
from assay.contracts.outcomes import OUTCOMES, POSTURE_CLAMPED, POSTURE_MISSING, Outcome
from assay.contracts.reasons import Reason
from assay.tables.row_kinds import PAYMENT

#: the largest score and the largest threshold: a score is a long in a decision record
SCORE_MAX: Final = 2**63 - 1
ALLOW, STEP_UP = OUTCOMES.index(Outcome.ALLOW), OUTCOMES.index(Outcome.STEP_UP)
_POSTURE_CODES: Final = Strings.of([POSTURE_MISSING, POSTURE_CLAMPED])


class DecisionPolicy(NamedTuple):
    """The identity of a policy document and its thresholds.

    `thresholds` int64 (t,) rise; a score of at least `thresholds[i]` has the outcome `outcomes[i + 1]`, a lower one than all has
    `outcomes[0]`. They are in the unit of the scorer. `outcomes` int8 (t + 1,) holds positions in OUTCOMES.
    """

    policy_id: str
    revision: str
    digest: bytes
    thresholds: I64
    outcomes: NDArray[np.int8]


class Answer(NamedTuple):
    """The answers to m payments: `outcome` int8 (m,) holds positions in OUTCOMES, `reasons` lists of codes."""

    outcome: NDArray[np.int8]
    reasons: Ragged


def read_policy(document: Mapping[str, Any]) -> DecisionPolicy:
    """Identity and thresholds of a policy document. Raises Stop(RULES_DOCUMENT_INVALID) naming the field."""
    for field in ("policy_id", "revision"):
        if not isinstance(document[field], str) or not document[field]:
            refuse("document", field, "is not a non-empty string")
    thresholds = _thresholds(document["thresholds"])
    return DecisionPolicy(
        policy_id=document["policy_id"],
        revision=document["revision"],
        digest=document_digest(document),
        thresholds=np.array(list(thresholds.values()), np.int64),
        outcomes=np.array([ALLOW, *(OUTCOMES.index(outcome) for outcome in thresholds)], np.int8),
    )


def _thresholds(value: Any) -> dict[Outcome, int]:
    """Lowest score per outcome, mildest outcome first. An outcome that the document leaves out is never given."""
    if not isinstance(value, dict) or not value:
        refuse("document", "thresholds", "is not a mapping from outcome to score")
    for name, score in value.items():
        if name not in OUTCOMES[1:]:
            refuse("document", f"thresholds.{name}", f"is none of {', '.join(OUTCOMES[1:])}")
        if type(score) is not int or abs(score) > SCORE_MAX:
            refuse("document", f"thresholds.{name}", "is not an integer of 64 bits")
    given = {outcome: value[outcome] for outcome in OUTCOMES[1:] if outcome in value}
    if list(given.values()) != sorted(set(given.values())):
        refuse("document", "thresholds", "do not rise from STEP_UP to DECLINE")
    return given


def refuse(part: str, field: str, what: str) -> NoReturn:
    """Raise Stop(RULES_DOCUMENT_INVALID) for a field of a part of a policy document."""
    raise Stop(
        Reason.RULES_DOCUMENT_INVALID,
        f"{field} of {part} {what}",
        where="rules document",
        remedy="Correct the policy's rules.yaml.",
    )


def to_decide(columns: Columns, live: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The rows (n,) that a decision is made about: payments that are neither duplicates nor refused."""
    kind: NDArray[np.bool_] = np.equal(_array(columns["kind"]), PAYMENT)
    return live & kind


def answer(policy: DecisionPolicy, columns: Columns) -> Answer:
    """Outcome and reasons of m rows, from the columns `score`, `reasons`, `posture.clamps` and `posture.missing`."""
    reasons, score = columns["reasons"], frozen(_array(columns["score"]), np.int64)
    assert isinstance(reasons, Ragged)
    m, listed = len(score), int(reasons.offsets[-1])
    outcome, offsets, index = np.empty(m, np.int8), np.zeros(m + 1, np.int64), np.empty(listed + 2 * m, np.int64)
    clamps, missing = (frozen(_array(columns[f"posture.{name}"]), np.bool_) for name in ("clamps", "missing"))
    thresholds = frozen(policy.thresholds, np.int64), frozen(policy.outcomes, np.int8)
    _answer(thresholds, (score, clamps, missing, frozen(reasons.offsets, np.int64)), outcome, offsets, index)
    if offsets[-1] == listed:
        return Answer(outcome, reasons)
    given, more = reasons.children["item"], _POSTURE_CODES
    codes = Strings(
        np.concatenate((given.data, more.data)),
        np.concatenate((given.starts, more.starts + len(given.data))),
        np.concatenate((given.lengths, more.lengths)),
    )
    return Answer(outcome, Ragged(offsets, {"item": codes.take(index[: offsets[-1]])}))


@kernel
def _answer(policy: Any, given: Any, outcome: Any, offsets: Any, index: Any) -> None:
    """Fill outcomes, and the lists of reasons: positions in the given codes, which POSTURE_MISSING and POSTURE_CLAMPED follow."""
    thresholds, outcomes = policy
    score, clamps, missing, listed = given
    codes, at = listed[len(score)], 0
    for i in range(len(score)):
        reached = 0
        while reached < len(thresholds) and score[i] >= thresholds[reached]:
            reached += 1
        outcome[i] = outcomes[reached]
        for code in range(listed[i], listed[i + 1]):
            index[at] = code
            at += 1
        if missing[i]:
            index[at] = codes
            at += 1
        if clamps[i] and outcome[i] == ALLOW:
            outcome[i] = STEP_UP
            index[at] = codes + 1
            at += 1
        offsets[i + 1] = at


def _array(column: Column) -> NDArray[Any]:
    assert isinstance(column, np.ndarray)
    return column
