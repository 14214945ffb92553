"""A gate in this process for the outputs of a bank: it holds every promise of a mark against what comes later."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from assay.contracts import instants
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason


class EndedError(BaseException):
    """The process ends here."""


class MarkedGate:
    """Takes events in the order of its answers, which come late and mixed; holds every promise of a mark against what comes later."""

    def __init__(self, seed: int = 0) -> None:
        self.random = Random(seed)
        self.calls, self.refuses = 0, ""
        self.ends_at = self.fails_at = -1
        self.happens: dict[int, Callable[[], object]] = {}
        self.taken: dict[str, dict[str, int]] = {}
        self.order: list[tuple[str, int]] = []
        self.marks: dict[str, tuple[int, bool]] = {}

    async def ingest(self, body: bytes) -> dict[str, Any]:
        """Take a batch, some time later."""
        self._called()
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        counts, results = {"ADMIT": 0, "DUPLICATE": 0}, []
        for event in json.loads(body):
            of_type, ts_us = self.taken.setdefault(event["event_type"], {}), instants.parse(event["ts_utc"])
            if event["event_id"] == self.refuses:
                counts["QUARANTINE"] = 1
                results.append({"event_id": self.refuses, "admission": "QUARANTINE", "reason_codes": ["SCHEMA_FAIL"], "detail": "too dear"})
                continue
            known = event["event_id"] in of_type
            counts["DUPLICATE" if known else "ADMIT"] += 1
            if not known:
                mark = self.marks.get(ENGINE_EVENTS[event["event_type"]].event_class, (0, False))
                assert not mark[1] and ts_us >= mark[0], "behind a mark"
            of_type[event["event_id"]] = ts_us
            self.order.append((event["event_type"], ts_us))
        return {"counts": counts, "results": results}

    async def mark(self, ts_us: int, classes: Sequence[str], *, final: bool) -> None:
        """Take a mark; as the real gate does, refuse one that goes backwards."""
        self._called()
        for name in classes:
            before = self.marks.get(name, (0, False))
            if ts_us < before[0]:
                raise Stop(Reason.GATE_REJECTED, "the gate refused a call with HTTP 400: MARK_BACKWARDS")
            self.marks[name] = ts_us, final or before[1]

    def _called(self) -> None:
        self.calls += 1
        self.happens.get(self.calls, bool)()
        if self.calls == self.ends_at:
            raise EndedError
        if self.calls == self.fails_at:
            raise Retry(Reason.GATE_RETRY_EXHAUSTED, "away")
