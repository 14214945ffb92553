"""When a call to the gate is tried again, and after how long. Time and chance come in as arguments."""

from __future__ import annotations

from typing import NamedTuple


class RetryPolicy(NamedTuple):
    """At least `attempts_min` tries, and more until `budget_s` seconds have passed since the first."""

    attempts_min: int = 5
    budget_s: float = 120.0
    base_ms: float = 250.0
    max_ms: float = 5_000.0

    def delay_ms(self, attempt: int, chance: float) -> float:
        """Milliseconds to wait after an attempt (the first is 1): base·2^(attempt-1) up to the maximum, plus up to as much by chance."""
        delay = min(self.max_ms, self.base_ms * 2.0 ** min(attempt - 1, 30))
        return delay * (1.0 + chance)

    def may_try_again(self, attempt: int, elapsed_s: float) -> bool:
        """Whether another try follows the given attempt."""
        return attempt < self.attempts_min or elapsed_s < self.budget_s


def is_transient(status: int) -> bool:
    """HTTP answers that a later try may change: timeout, too many requests, and the server's own faults."""
    return status in (408, 429) or status >= 500
