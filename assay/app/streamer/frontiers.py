"""How far several outputs of one run were acknowledged: a payment is sent when the context before it has been taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from assay.app.streamer.pacing import END_OF_TIME


class Frontiers:
    """The first time of each output of context that is not acknowledged yet. `ahead`: their ids."""

    def __init__(self, ahead: Iterable[str]) -> None:
        self._first_us = dict.fromkeys(ahead, -END_OF_TIME)
        self._moved = asyncio.Event()
        self._held: set[str] = set()

    def reach(self, output_id: str, next_us: int | None) -> None:
        """Everything of an output before `next_us` is acknowledged; None for all of it."""
        if output_id in self._first_us:
            self._first_us[output_id] = END_OF_TIME if next_us is None else next_us
        self._moved.set()

    def hold(self, output_id: str) -> None:
        """This process sends nothing more of an output."""
        self._held.add(output_id)
        self._moved.set()

    def is_held(self, ts_us: int) -> bool:
        """Whether a row of this time can no longer be sent by this process: an output that it waits for is held before it."""
        return any(first_us <= ts_us for output_id, first_us in self._first_us.items() if output_id in self._held)

    def limit_us(self) -> int:
        """Rows that follow context may be sent up to this time: at equal times the context goes first."""
        return min(self._first_us.values(), default=END_OF_TIME) - (1 if self._first_us else 0)

    async def moved(self, seconds: float) -> None:
        """Wait until an output gets further, at most so long."""
        self._moved.clear()
        try:
            await asyncio.wait_for(self._moved.wait(), seconds)
        except TimeoutError:
            return
