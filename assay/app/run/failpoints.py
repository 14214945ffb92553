"""Named points where an armed process writes a marker file and waits to be killed: crash tests choose the instant."""

from __future__ import annotations

import asyncio
from pathlib import Path

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

POINTS = (
    "recovering",
    "claiming",
    "folded",
    "before_journal_acknowledged",
    "after_journal_before_produce",
    "after_effects_before_results",
    "after_produce_before_commit",
    "during_snapshot",
)


class Failpoints:
    """At most one point is armed; all others cost one comparison.

    `armed` is a name from `POINTS`, or `name:n` to wait at the n-th time it is reached (1 is the first, the default).
    `marker` appears once the process waits. Raises Stop(FAILPOINT_UNKNOWN) for any other name, or without a marker.
    """

    def __init__(self, armed: str = "", marker: Path | None = None) -> None:
        name, _, times = armed.partition(":")
        if name and (name not in POINTS or marker is None or not (times or "1").isdigit()):
            raise Stop(
                Reason.FAILPOINT_UNKNOWN,
                f"'{armed}' cannot be armed with marker {marker}",
                remedy=f"Use one of {', '.join(POINTS)}, with :n for the n-th time, and name a file to write.",
            )
        self._name = name
        self._left = int(times or 1)
        self._marker = marker or Path()

    async def reach(self, name: str) -> None:
        """Return at once, or wait here for ever if this point is armed and its turn has come."""
        if name != self._name:
            if name not in POINTS:
                raise Stop(Reason.FAILPOINT_UNKNOWN, f"'{name}' is no failpoint", remedy="Add it to POINTS.")
            return
        self._left -= 1
        if self._left == 0:
            self._marker.write_text(name)
            await asyncio.Event().wait()
