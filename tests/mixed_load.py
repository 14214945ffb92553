"""A load of a gate in trouble: events that are new, repeated, under known ids of others, or none, each posted until it has its end."""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from gate_events import event, paid
from gate_process import GateProcess

from assay.testing import until

#: new events of a body; beside them are two duplicates, an anomaly and one of no type
FRESH = 30
SIZE = FRESH + 4
GIVE_UP_S = 240.0


def body_of(number: int) -> list[dict[str, Any]]:
    """The events of one call; the first call has to be answered before the others."""
    fresh = [event(f"e-{number}-{i}") for i in range(FRESH)]
    return [*fresh, event("e-0-0"), event("e-0-1"), event("e-0-2", payload=paid(amount_minor=7)), event(f"bad-{number}", "no_type")]


def posted(gate: GateProcess, body: Sequence[Any]) -> Counter[str]:
    """How each event of a call ended, once no event of it has to be sent again."""

    def post() -> Counter[str]:
        try:
            status, answer = gate.batch(body)
        except (OSError, http.client.HTTPException):
            return Counter()
        assert status in (200, 429, 503, 408), answer
        return _ends(answer["results"]) if status == 200 else Counter()

    return until(post, GIVE_UP_S, every_s=0.1)


def _ends(results: Sequence[dict[str, Any]]) -> Counter[str]:
    anomaly = "PAYLOAD_HASH_MISMATCH"
    return Counter("ANOMALY" if anomaly in one["reason_codes"] else one["admission"] for one in results)


class Load:
    """Calls from several threads, from `begin` to `ended`."""

    def __init__(self, gate: GateProcess, threads: int = 6) -> None:
        self.gate, self._calls = gate, 1
        self._threads = ThreadPoolExecutor(threads)
        self._posts: list[Future[Counter[str]]] = []

    def begin(self) -> None:
        """Post the first call to its end, then the next ones at once."""
        assert posted(self.gate, body_of(0))["ADMIT"] == FRESH
        self.more(60)

    def more(self, calls: int) -> None:
        """Post more calls at once."""
        numbers = range(self._calls, self._calls + calls)
        self._calls += calls
        self._posts += [self._threads.submit(posted, self.gate, body_of(number)) for number in numbers]

    @property
    def done(self) -> int:
        """Calls that have their end."""
        return sum(one.done() for one in self._posts)

    def goes_on(self, calls: int = 3) -> None:
        """Return when some more have their end, or all."""
        wanted = min(self.done + calls, len(self._posts))
        until(lambda: self.done >= wanted, GIVE_UP_S)

    def ended(self) -> None:
        """Every event has one end; each new one is on the bus once and has one receipt. The gate is stopped."""
        until(lambda: self.done == len(self._posts) or not self._resolved(), GIVE_UP_S, every_s=0.5)
        told = sum((one.result() for one in self._posts), Counter[str]())
        assert told.keys() <= {"ADMIT", "DUPLICATE", "QUARANTINE", "ANOMALY"}
        assert sum(told.values()) == SIZE * (self._calls - 1), "admit + duplicate + quarantine + anomaly = attempts"
        assert (told["QUARANTINE"], told["ANOMALY"]) == (self._calls - 1, self._calls - 1)
        wanted = Counter(f"e-{number}-{i}" for number in range(self._calls) for i in range(FRESH))
        assert self.gate.event_ids() == wanted, "nothing is lost, nothing is on the bus twice"
        assert self.gate.resolve()[0] == 0
        assert self.gate.stop() == 0
        admitted = {(one["event_id"], one["receipt_id"]) for one in self.gate.receipts() if one["decision"] == "ADMIT"}
        assert Counter(event_id for event_id, _ in admitted) == wanted, "each has one receipt"

    def _resolved(self) -> bool:
        """What nobody knows of is settled by an operator; True to be asked on."""
        self.gate.resolve("--republish")
        return True
