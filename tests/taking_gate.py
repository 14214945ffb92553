"""A gate in this process that remembers what it took, and fails, stops or ends its caller where a test says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.limits import BODY_BYTES_MAX
from assay.contracts.reasons import Reason


class TakingGate:
    """Remembers what it took, and refuses a body over `bytes_max`.

    `fail_at` calls raise; `stop_at` sets `stop` while that call is under way; late calls answer in reverse.
    """

    bytes_max = BODY_BYTES_MAX

    def __init__(
        self, stop: asyncio.Event | None = None, stop_at: int | None = None, fail_at: dict[int, BaseException] | None = None
    ) -> None:
        self.stop, self.stop_at, self.fail_at = stop, stop_at, fail_at or {}
        self.calls = 0
        self.taken: dict[str, int] = {}
        self.marks: list[tuple[int, bool]] = []
        self.marked: set[str] = set()
        self.history: list[tuple[str, int]] = []

    async def ingest(self, body: bytes) -> dict[str, Any]:
        """Take a batch."""
        self._called()
        if len(body) > self.bytes_max:
            raise Stop(Reason.GATE_REJECTED, "HTTP 413")
        events = json.loads(body)
        for _ in range(5 - self.calls % 5):
            await asyncio.sleep(0)
        fresh = 0
        for event in events:
            ts_us = instants.parse(event["ts_utc"])
            fresh += event["event_id"] not in self.taken
            self.taken[event["event_id"]] = ts_us
            self.history.append(("row", ts_us))
        return {"counts": {"ADMIT": fresh, "DUPLICATE": len(events) - fresh}}

    async def mark(self, ts_us: int, classes: Sequence[str], *, final: bool) -> None:
        """Take a mark; as the real gate does, refuse one that goes backwards."""
        self._called()
        if self.marks and ts_us < self.marks[-1][0]:
            raise Stop(Reason.MARK_BACKWARDS, "behind the last")
        self.marks.append((ts_us, final))
        self.marked.update(classes)
        self.history.append(("mark", ts_us))

    def _called(self) -> None:
        self.calls += 1
        if self.stop is not None and self.calls == self.stop_at:
            self.stop.set()
        if self.calls in self.fail_at:
            raise self.fail_at[self.calls]


def promises_kept(gate: TakingGate, total: int) -> None:
    """Every row arrived; a row behind a mark had arrived before it; the last mark is final."""
    assert len(gate.taken) == total
    assert gate.marks[-1][1]
    assert [final for _, final in gate.marks].count(True) >= 1
    assert [ts_us for ts_us, _ in gate.marks] == sorted(ts_us for ts_us, _ in gate.marks)
    arrived = 0
    for kind, ts_us in gate.history:
        if kind == "mark":
            assert sum(at < ts_us for at in gate.taken.values()) <= arrived
        else:
            arrived += 1
