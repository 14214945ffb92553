"""The port of scorers: rules today, models next. A run has one scorer; its Plans hold it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64, Columns, Ragged


class Scored(NamedTuple):
    """The scores of a batch of n rows. A row outside of the mask has score 0 and empty lists.

    `score` int64 (n,) is in the unit of the scorer: points of rules, or a calibrated probability in units of 1e-9. The thresholds of
    the policy are in the same unit. `reasons` are n lists of codes (child `item`, text), in the order in which people read them.
    `contributions` are n lists of (`feature` text, `points` int64 in the unit of the score), None for a scorer that has none.
    """

    score: I64
    reasons: Ragged
    contributions: Ragged | None = None


class Scorer(Protocol):
    """Scores rows by their columns alone: no state, no clock, no other row. So any split of the input gives the same scores.

    The outcome of a score is not its business: `decision_policy.py` maps scores to outcomes for every scorer.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns it is given. The step `scoring` must declare them."""

    def score(self, columns: Columns, apply: NDArray[np.bool_]) -> Scored:
        """Score the rows where `apply` (n,) holds. The same bits on every machine."""
