"""Virtual time: what happens next, and what the wall clock shows meanwhile."""

from __future__ import annotations

import heapq
from collections.abc import Callable

WALL_US = 1_800_000_000_000_000


class Events:
    """A queue of actions by time; of two at the same time the one scheduled first happens first."""

    def __init__(self) -> None:
        self.now_us = 0
        self.count = 0
        #: until then something is sure to happen that is no idle look around
        self.busy_until_us = 0
        #: what faults have set the wall clock forwards
        self.jump_us = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []

    def after(self, delay_us: int, action: Callable[[], None], *, busy: bool = False) -> None:
        """Do something later. `busy`: the run is not over before that."""
        self.count += 1
        at_us = self.now_us + delay_us
        if busy:
            self.busy_until_us = max(self.busy_until_us, at_us)
        heapq.heappush(self._queue, (at_us, self.count, action))

    def moved(self) -> None:
        """Something was written: the run is not over."""
        self.busy_until_us = max(self.busy_until_us, self.now_us)

    def next(self) -> None:
        """Let time pass until the next action, and do it."""
        self.now_us, _, action = heapq.heappop(self._queue)
        action()

    def wall_us(self) -> int:
        """What a process reads off its machine's clock."""
        return WALL_US + self.now_us + self.jump_us
