"""What became of events whose fate nobody was told: settled from the bus, by evidence, and never guessed (docs/decisions/0035).

A batch is lost when it has no end and its process is dead or has forgotten it. Once its producer cannot write any more, the bus is read
from where the batch began to the end that it has then: what is found there is ADMITTED and has a receipt. The rest waits for an operator.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from assay.app.gate.batch_ages import BatchAges
from assay.app.gate.bus_search import BusSearch, FoundEvent
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.index_tables import LOCK_KEY, Connection
from assay.app.gate.publisher import DELIVERY_TIMEOUT_MS, REQUEST_TIMEOUT_MS
from assay.app.gate.unsettled import Ambiguous, Begun, Unsettled

T = TypeVar("T")

#: a record that was handed over so long ago is on the bus or never will be: both time-outs of the producer are over, and 2 s beside
EVIDENCE_AFTER_S: Final = (DELIVERY_TIMEOUT_MS + REQUEST_TIMEOUT_MS) / 1_000 + 2.0
_TRY: Final = "SELECT pg_try_advisory_lock(@key)".replace("@key", LOCK_KEY)
_LET_GO: Final = "SELECT pg_advisory_unlock(@key)".replace("@key", LOCK_KEY)
_CLOSE: Final = (
    "INSERT INTO ig_batches (batch, partitions, offsets, unknown) SELECT batch, '{}', '{}',"
    " records + (SELECT count(*) FROM ig_retakes r WHERE r.batch = g.batch) FROM ig_begun g WHERE batch = ANY(%s) ON CONFLICT DO NOTHING"
)
_BOUNDS: Final = "SELECT bounds FROM ig_begun WHERE batch = ANY(%s)"
_MISSING: Final = (
    "SELECT dedupe_key, batch, payload_hash FROM ig_standing"
    " WHERE dedupe_key = ANY(%s) AND batch = ANY(%s) AND state IN ('AMBIGUOUS', 'RELEASED')"
)
_FOUND: Final = (
    'INSERT INTO ig_found (dedupe_key, batch, partition, "offset") SELECT * FROM unnest(%s::bytea[], %s::bigint[], %s::int[], %s::bigint[])'
    " ON CONFLICT DO NOTHING"
)
_SCANNED: Final = (
    "INSERT INTO ig_scanned (batch, found, ends) SELECT b, (SELECT count(*) FROM ig_found f WHERE f.batch = b), %s"
    " FROM unnest(%s::bigint[]) AS given (b) ON CONFLICT DO NOTHING"
)
_RELEASE: Final = "INSERT INTO ig_released (batch, by) SELECT b, %s FROM unnest(%s::bigint[]) AS given (b) ON CONFLICT DO NOTHING"


class Resolution(NamedTuple):
    """How a run stands after a look: batches that are begun and whose process may live, events that were found just now, events that
    the bus does not hold, and events for which the evidence is not complete yet (for `wait_s` more seconds)."""

    in_flight: int
    found: int
    absent: int
    waiting: int
    wait_s: float

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to settle, apart from what is just being admitted."""
        return not (self.absent or self.waiting)


class Resolver:
    """Settles the lost batches of one run. `own_epoch` is that of the process it runs in, 0 for a command; `receipts` makes the receipts of
    events durable before the index names them; `now_s` never goes back."""

    def __init__(
        self,
        index: AdmissionIndex,
        platform_run_id: str,
        unsettled: Unsettled,
        bus: BusSearch,
        receipts: Callable[[Sequence[FoundEvent]], None],
        own_epoch: Callable[[], int] = lambda: 0,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index, self._run, self._unsettled, self._bus = index, platform_run_id, unsettled, bus
        self._receipts, self._own_epoch, self._now_s = receipts, own_epoch, now_s
        self._ages = BatchAges()

    def look(self) -> Resolution | None:
        """Settle what the evidence settles; None while another resolver of this run is at it.

        Raises Retry(INDEX_UNAVAILABLE | BROKER_UNREACHABLE | RECEIPT_NOT_DURABLE | STORE_FULL), Stop(TOPIC_UNKNOWN).
        """
        return self._alone(self._look)

    def release(self, by: str) -> int | None:
        """Let what the bus does not hold be sent again, once: the number of events. None while another resolver of this run is at it.

        `by` says who decided it. Raises as `look` does.
        """
        return self._alone(lambda: self._release(by))

    def _alone(self, work: Callable[[], T]) -> T | None:
        name = f"resolve:{self._run}"
        got = self._index.ask(lambda connection: connection.execute(_TRY, (name,)).fetchone())
        if not (got and got[0]):
            return None
        try:
            return work()
        finally:
            self._index.ask(lambda connection: connection.execute(_LET_GO, (name,)))

    def _look(self) -> Resolution:
        self._ages.look(self._now_s())
        begun = self._begun()
        lost = [one for one in begun if one.age_s > EVIDENCE_AFTER_S and self._is_lost(one)]
        if lost:
            self._ask(_CLOSE, [one.batch for one in lost])
        ambiguous = self._ambiguous()
        ripe = [one for one in ambiguous if not one.scanned and one.age_s > EVIDENCE_AFTER_S]
        found = self._scan(ripe) if ripe else 0
        after = self._ambiguous() if ripe else ambiguous
        young = [one for one in after if not one.scanned]
        ages = [one.age_s for one in young] + [one.age_s for one in begun]
        self._unsettled.end_dead()
        return Resolution(
            in_flight=len(begun) - len(lost),
            found=found,
            absent=sum(one.missing for one in after if one.scanned),
            waiting=sum(one.missing for one in young),
            wait_s=max(0.0, EVIDENCE_AFTER_S - min(ages, default=EVIDENCE_AFTER_S)),
        )

    def _begun(self) -> list[Begun]:
        every, others = self._unsettled.looked()
        ages = self._ages.of({one.batch: one.age_s for one in every})
        return [one._replace(age_s=ages[one.batch]) for one in others]

    def _ambiguous(self) -> list[Ambiguous]:
        found = self._unsettled.ambiguous()
        ages = self._ages.of({one.batch: one.age_s for one in found})
        return [one._replace(age_s=ages[one.batch]) for one in found]

    def _is_lost(self, one: Begun) -> bool:
        """Its own process has it no more on its way (`Unsettled` leaves those out), or is dead."""
        return one.epoch == self._own_epoch() or self._unsettled.is_gone(one)

    def _scan(self, ripe: Sequence[Ambiguous]) -> int:
        batches = [one.batch for one in ripe]
        firsts = _lowest([json.loads(row[0]) for row in self._ask_rows(_BOUNDS, batches)])
        ends = self._bus.ends(sorted(firsts))
        found = 0
        for events in self._bus.events(firsts, ends):
            found += self._settle(events, batches)
        told = json.dumps({handle: [end for _, end in sorted(by.items())] for handle, by in sorted(ends.items())})
        self._ask(_SCANNED, told, batches)
        return found

    def _settle(self, events: Sequence[FoundEvent], batches: Sequence[int]) -> int:
        """Of one chunk. An event that lies there twice has its first place."""
        there: dict[bytes, FoundEvent] = {}
        for event in events:
            there.setdefault(event.key, event)
        rows = self._ask_rows(_MISSING, list(there), list(batches)) if there else []
        mine = [(there[key], batch) for key, batch, hashed in rows if there[key].payload_hash == hashed]
        if not mine:
            return 0
        self._receipts([event for event, _ in mine])
        keys, at = [event.key for event, _ in mine], [event.place for event, _ in mine]
        self._ask(_FOUND, keys, [batch for _, batch in mine], [place.partition for place in at], [place.offset for place in at])
        return len(mine)

    def _release(self, by: str) -> int:
        ready = [one for one in self._unsettled.ambiguous() if one.scanned]
        self._ask(_RELEASE, by, [one.batch for one in ready])
        return sum(one.missing for one in ready)

    def _ask(self, statement: str, *given: object) -> None:
        self._index.ask(lambda connection: connection.execute(statement, given))

    def _ask_rows(self, statement: str, *given: object) -> list[tuple[Any, ...]]:
        def rows(connection: Connection) -> list[tuple[Any, ...]]:
            return connection.execute(statement, given, binary=True).fetchall()

        return self._index.ask(rows)


def _lowest(bounds: Sequence[dict[str, list[int]]]) -> dict[str, list[int]]:
    """Topic handle → the lowest offset of each partition, over several batches. Partitions that one of them does not know begin at 0."""
    lowest: dict[str, list[int]] = {}
    for one in bounds:
        for handle, offsets in one.items():
            before = lowest.get(handle)
            lowest[handle] = offsets if before is None else [min(pair) for pair in zip(before, offsets, strict=False)]
    return lowest
