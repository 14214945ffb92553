"""What a decision can say, mildest first, and the action that carries it out."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """The four answers to a payment."""

    ALLOW = "ALLOW"
    STEP_UP = "STEP_UP"
    QUEUE_REVIEW = "QUEUE_REVIEW"
    DECLINE = "DECLINE"


#: severity = index; columns hold the index
OUTCOMES: Final = tuple(Outcome)


#: reason codes the posture adds to a decision, after the codes of the rules that fired
POSTURE_MISSING: Final = "POSTURE_MISSING_FAIL_SAFE"
POSTURE_CLAMPED: Final = "ACTION_POSTURE_CLAMPED"

#: reason code of an answer that could not wait for its decision
FALLBACK_REASON: Final = "DEADLINE_PASSED"
#: what such an answer says where the rules name nothing: the mildest outcome that the fail-safe posture leaves
FALLBACK_DEFAULT: Final = Outcome.STEP_UP
