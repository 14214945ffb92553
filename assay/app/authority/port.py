"""The authority as the Scenario Runner sees it: a registry of keys, and leases with a fence that only rises."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Registered(NamedTuple):
    """A key that names a run. `first`: nobody had asked for it before. Times are UTC microseconds."""

    run_id: str
    intent_fingerprint: str
    first_seen_us: int
    first: bool


class Lease(NamedTuple):
    """The right to write one run until it expires. Of two leases of a run the later one has the higher fence."""

    run_id: str
    owner_id: str
    token: str
    fence: int


class Equivalence(NamedTuple):
    """A row of the registry as a rebuild writes it."""

    key: str
    run_id: str
    intent_fingerprint: str
    first_seen_us: int


class Authority(Protocol):
    """Two forms keep it: SQLite for one machine, PostgreSQL for several. `now_us` is the caller's clock.

    SQLite judges by `now_us`. PostgreSQL judges by its own clock: a caller whose clock is an hour off neither takes a lease that is held
    nor keeps one that has expired. Every call may raise Retry(DATABASE_SILENT).
    """

    def register(self, key: str, run_id: str, intent_fingerprint: str, now_us: int) -> Registered:
        """Note what a key means, once. Raises Stop(EQUIV_KEY_COLLISION) for another intent, and then changes nothing."""

    def acquire(self, run_id: str, owner_id: str, ttl_us: int, now_us: int) -> Lease | None:
        """A lease under the next fence; None while another one, of whatever owner, has not expired."""

    def renew(self, lease: Lease, ttl_us: int, now_us: int) -> bool:
        """Prolong a lease that has not expired; whether it was still held."""

    def holds(self, lease: Lease, now_us: int) -> bool:
        """Whether a lease is held: it is the latest one and has not expired."""

    def release(self, lease: Lease, now_us: int) -> None:
        """End a lease that is held; the fence stays."""

    def rows(self) -> list[Equivalence]:
        """The registry in the order of its keys."""

    def restore(self, row: Equivalence, fence: int) -> None:
        """Write a row of the registry again, and let the next fence of its run be above `fence`. What is there is overwritten."""
