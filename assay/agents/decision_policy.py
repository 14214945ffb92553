"""The policy that turns scores into outcomes, the same for every scorer: it states the lowest score of each outcome.

`decide_kernel.py` applies it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64, Columns
from assay.contracts.canonical import document_digest
from assay.contracts.errors import Stop
from assay.contracts.outcomes import FALLBACK_DEFAULT, OUTCOMES, Outcome
from assay.contracts.reasons import Reason
from assay.tables.row_kinds import PAYMENT

#: the largest score and the largest threshold: a score is a long in a decision record
SCORE_MAX: Final = 2**63 - 1


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


def read_policy(document: Mapping[str, Any]) -> DecisionPolicy:
    """Identity and thresholds of a policy document. Raises Stop(RULES_DOCUMENT_INVALID) naming the field."""
    for field in ("policy_id", "revision"):
        if not isinstance(document[field], str) or not document[field]:
            refuse("document", field, "is not a non-empty string")
    fallback_of(document)
    thresholds = _thresholds(document["thresholds"])
    return DecisionPolicy(
        policy_id=document["policy_id"],
        revision=document["revision"],
        digest=document_digest(document),
        thresholds=np.array(list(thresholds.values()), np.int64),
        outcomes=np.array([0, *(OUTCOMES.index(outcome) for outcome in thresholds)], np.int8),
    )


def fallback_of(document: Mapping[str, Any]) -> Outcome:
    """What is answered to a payment whose poster waited in vain for its decision. Raises Stop(RULES_DOCUMENT_INVALID)."""
    given = document.get("fallback", {"outcome": FALLBACK_DEFAULT})
    if not isinstance(given, Mapping) or set(given) != {"outcome"}:
        refuse("document", "fallback", "is not {outcome: NAME}")
    if given["outcome"] not in OUTCOMES:
        refuse("document", "fallback.outcome", f"is none of {', '.join(OUTCOMES)}")
    return Outcome(given["outcome"])


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
    kind: NDArray[np.bool_] = np.equal(np.asarray(columns["kind"]), PAYMENT)
    return live & kind
