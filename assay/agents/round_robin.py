"""Round-robin: work that is due once per interval for each of n numbers, spread over the interval so that it never comes all at once.

Time is the wall time of journal records, so a recovering worker repeats the same turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class RoundRobin:
    """State: wall time through which turns were given, and the number whose turn is next."""

    def __init__(self, count: int, interval_us: int) -> None:
        self._count = count
        self._interval_us = interval_us
        self._through_us = self._next = 0

    def due(self, wall_us: int) -> Sequence[int]:
        """Numbers whose turn has come, ascending; all of them after a whole interval, or when the clock was set back."""
        passed_us = wall_us - self._through_us
        if 0 <= passed_us < self._interval_us:
            due = passed_us * self._count // self._interval_us
            self._through_us += due * self._interval_us // self._count
        else:  # a clock that was set back must not hold turns back until it has caught up
            due, self._through_us = self._count, wall_us
        if not due:
            return []
        turn = [(self._next + i) % self._count for i in range(due)]
        self._next = (self._next + due) % self._count
        return sorted(turn)

    def as_json(self) -> dict[str, int]:
        """The state as canonical JSON."""
        return {"through_us": self._through_us, "next": self._next}

    def restore(self, value: Mapping[str, Any]) -> None:
        """Take a state that `as_json` gave. Raises KeyError, TypeError or ValueError for another value."""
        self._through_us, self._next = int(value["through_us"]), int(value["next"]) % self._count
