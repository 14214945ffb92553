"""Many refused items at once: a warning, and one fact for those who govern the run. Pure but for `Spikes`, which has a clock."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from assay.app.governance import Family, Governance
from assay.contracts import instants
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

#: so many refused items within so many seconds are a spike
SPIKE_ITEMS: Final = 25
WINDOW_S: Final = 60.0


class Window:
    """Refused items of the last seconds. `said` is when a spike was told last."""

    def __init__(self, items: int = SPIKE_ITEMS, window_s: float = WINDOW_S) -> None:
        self._items, self._window_s = items, window_s
        self._noted: deque[tuple[float, int]] = deque()
        self._count = 0
        self._said_s = float("-inf")

    def note(self, items: int, now_s: float) -> bool:
        """Count refused items; whether a spike is to be told: the first time, and then once per window while it lasts."""
        if items:
            self._noted.append((now_s, items))
            self._count += items
        if self.count(now_s) < self._items or now_s - self._said_s < self._window_s:
            return False
        self._said_s = now_s
        return True

    def count(self, now_s: float) -> int:
        """Refused items of the window that ends now."""
        while self._noted and now_s - self._noted[0][0] >= self._window_s:
            self._count -= self._noted.popleft()[1]
        return self._count


class Spikes:
    """The window of one gate. `now_s` never goes back; `tell` is told a spike's count, and must not wait."""

    def __init__(self, now_s: Callable[[], float], tell: Callable[[int], None] = lambda _: None) -> None:
        self._window, self._now_s, self._tell = Window(), now_s, tell
        self._lock = threading.Lock()

    def note(self, items: int) -> None:
        """Items were refused."""
        now_s = self._now_s()
        with self._lock:
            told = self._window.note(items, now_s)
            count = self._window.count(now_s)
        if told:
            self._tell(count)

    def warning(self) -> Retry | None:
        """What is wrong, while it is."""
        with self._lock:
            count = self._window.count(self._now_s())
        if count < SPIKE_ITEMS:
            return None
        what, remedy = f"{count} items were refused within {WINDOW_S:g} s", "`assay quarantine list --run DIR` says which and why."
        return Retry(Reason.QUARANTINE_SPIKE, what, remedy=remedy)


def spikes_of(governance: Governance, policy_rev: Mapping[str, Any], clock: Callable[[], int]) -> Spikes:
    """The spikes of a gate, told as facts about its run. `clock` gives UTC microseconds."""

    def tell(count: int) -> None:
        now_us = clock()
        at, window = instants.text(now_us), now_us // int(WINDOW_S * 1_000_000)  # several gates of a run tell it once
        facts = {"policy_id": policy_rev["policy_id"], "quarantine_count": count, "window_seconds": int(WINDOW_S), "detected_at_utc": at}
        governance.say(Family.QUARANTINE_SPIKE, f"ig_quarantine_spike:{window}", facts)

    return Spikes(time.monotonic, tell)
