"""How old a batch is, whatever the clock of the database does: by that clock when it is seen first, then by one that never goes back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple


class Seen(NamedTuple):
    """The age in seconds at which a batch was seen first, and when that was by the monotonic clock."""

    age_s: float
    at_s: float


class BatchAges:
    """The ages of what one resolver sees, look by look.

    What a look sees first was begun after the look before: another age is that of a clock that jumped, and counts as none. So a clock that
    jumps ahead makes no batch old, and one that jumps back keeps none young. The first look of all believes the database.
    """

    def __init__(self) -> None:
        self._before: dict[int, Seen] = {}
        self._now: dict[int, Seen] = {}
        self._before_s, self._now_s = -math.inf, -math.inf

    def look(self, now_s: float) -> None:
        """Begin a look. What the last one did not see is forgotten."""
        self._before, self._now = self._now, {}
        self._before_s, self._now_s = self._now_s, now_s

    def of(self, told: Mapping[int, float]) -> dict[int, float]:
        """Batch → its age in seconds, from that which the database tells."""
        for batch, age_s in told.items():
            if batch not in self._now:
                may_be = 0.0 <= age_s <= self._now_s - self._before_s
                self._now[batch] = self._before.get(batch, Seen(age_s if may_be else 0.0, self._now_s))
        return {batch: self._now[batch].age_s + self._now_s - self._now[batch].at_s for batch in told}
