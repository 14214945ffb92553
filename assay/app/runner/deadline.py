"""How long a process waits for evidence: the deadline is an instant of the plan, the time until then passes by a clock nobody sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.app.runner.hold import Clock
from assay.contracts import instants


class Deadline:
    """The deadline of a plan for one process. `clock` gives UTC microseconds and is asked once, `steady` microseconds from anywhere.

    Put forward or back meanwhile, the clock makes the wait neither shorter nor longer. One that stands before the plan was written
    is wrong: the process waits as long as the plan allows, and no longer.
    """

    def __init__(self, plan: Mapping[str, Any], clock: Clock, steady: Clock) -> None:
        self.at_us = instants.parse(plan["evidence_deadline_utc"])
        self._begin_us = max(clock(), instants.parse(plan["created_at_utc"]))
        self._steady, self._steady_begin_us = steady, steady()

    def now_us(self) -> int:
        """UTC microseconds as they are if the clock was right when this process began to wait."""
        return self._begin_us + self._steady() - self._steady_begin_us
