"""A run that this process holds: every write asks first whether it still does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from assay.app.authority.port import Authority, Lease
from assay.app.runner.derived import follow
from assay.app.runner.documents import Kind, write_once
from assay.app.runner.record import Record, lost, record_ref
from assay.app.runner.states import LEASE_ACQUIRED
from assay.app.stores.objects import ObjectStore
from assay.app.telemetry import Telemetry
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: how long a lease lasts, and after which part of it it is renewed. Whoever follows a runner that was killed waits so long; the check of a
#: large world must end within it, because it is renewed between two parts only
TTL_US = 120_000_000
_RENEW_PART = 3

Clock = Callable[[], int]


class Hold:
    """The lease of a run with its record. `take` begins it; `advance` and `write` are the only ways to write."""

    def __init__(self, store: ObjectStore, authority: Authority, lease: Lease, record: Record, clock: Clock, telemetry: Telemetry) -> None:
        self._store, self._authority, self._lease, self._clock = store, authority, lease, clock
        self.record, self._telemetry = record, telemetry
        self._renewed_us = clock()

    def take(self) -> None:
        """Put our fence into the record. Raises Stop(LEASE_LOST, AUTHORITY_BEHIND)."""
        self.record.read_on()
        if self._lease.fence <= self.record.standing.fence and self._authority.holds(self._lease, self._clock()):
            raise Stop(
                Reason.AUTHORITY_BEHIND,
                f"the record knows fence {self.record.standing.fence}, the database gave {self._lease.fence}: it was lost or replaced",
                where=record_ref(self.record.run_id),
                remedy="Run `assay sr rebuild-index` once, then ask again.",
            )
        self.advance(LEASE_ACQUIRED, {"owner_id": self._lease.owner_id, "fence": self._lease.fence})

    def advance(self, event_kind: str, details: Mapping[str, Any]) -> None:
        """Record an event, then the status that follows from it. Raises Stop(LEASE_LOST)."""
        self.sure()
        self.record.append(event_kind, details, self._clock(), self._lease.fence)
        follow(self._store, self.record)
        self._telemetry.say(event_kind, self.record.run_id, details)

    def write(self, kind: Kind, value: Mapping[str, Any]) -> None:
        """Write a document once. A holder that was overtaken does not come so far, and one that sleeps here would write the same."""
        self.sure()
        write_once(self._store, kind, self.record.run_id, value)

    def keep(self) -> None:
        """Renew the lease when a part of its time is over: for work that takes long."""
        now_us = self._clock()
        if abs(now_us - self._renewed_us) >= TTL_US // _RENEW_PART:
            if not self._authority.renew(self._lease, TTL_US, now_us):
                raise self._lost("it has expired")
            self._renewed_us = now_us

    def sure(self) -> None:
        """Raises Stop(LEASE_LOST) unless the lease is held and no higher fence stands in the record."""
        self.keep()
        if not self._authority.holds(self._lease, self._clock()):
            raise self._lost("it has expired, or another process has it")
        self.record.read_on()
        if self.record.standing.fence > self._lease.fence:
            raise self._lost(f"fence {self.record.standing.fence} stands in the record, ours is {self._lease.fence}")

    def _lost(self, why: str) -> Stop:
        self._telemetry.say("LEASE_LOST", self.record.run_id, {"why": why})
        return lost(self.record.run_id, why)

    def let_go(self) -> None:
        """End the lease, so that nobody has to wait for its expiry."""
        self._authority.release(self._lease, self._clock())
