"""The authority in a database: SQLite and PostgreSQL by the same statements, each with its own clock."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, cast, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from assay.app.authority.database import Database
from assay.app.authority.migrate import refuse_other_schema
from assay.app.authority.port import Equivalence, Lease, Registered
from assay.app.authority.tables import EQUIVALENCE, LAST_ASKED, LEASES
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: expires_at of a lease that nobody holds
_OVER = 0


class SqlAuthority:
    """The port `Authority` over a database that has the present schema."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, key: str, run_id: str, intent_fingerprint: str, now_us: int) -> Registered:
        """Note what a key means, once; see the port."""
        values = {"run_equivalence_key": key, "run_id": run_id, "intent_fingerprint": intent_fingerprint}
        with self._database.work() as connection:
            asked = self._insert(EQUIVALENCE, {**values, "first_seen_at": now_us})
            first = connection.execute(asked.returning(EQUIVALENCE.c.run_id)).one_or_none() is not None
            found = connection.execute(select(EQUIVALENCE).where(EQUIVALENCE.c.run_equivalence_key == key)).one()
            if found.intent_fingerprint != intent_fingerprint:
                raise Stop(
                    Reason.EQUIV_KEY_COLLISION,
                    f"the key '{key}' names run {found.run_id}, which was asked for with another intent",
                    where="run_equivalence_key",
                    remedy="Ask with a key of its own; one key means one run for ever.",
                )
            connection.execute(self._insert(LAST_ASKED, {"run_equivalence_key": key, "last_asked_at": now_us}))
            earlier = LAST_ASKED.c.run_equivalence_key == key, LAST_ASKED.c.last_asked_at < now_us
            connection.execute(update(LAST_ASKED).where(*earlier).values(last_asked_at=now_us))
        return Registered(found.run_id, found.intent_fingerprint, found.first_seen_at, first)

    def acquire(self, run_id: str, owner_id: str, ttl_us: int, now_us: int) -> Lease | None:
        """A lease under the next fence; see the port."""
        now = self._now(now_us)
        empty = {"run_id": run_id, "owner_id": "", "lease_token": "", "fence": 0, "expires_at": _OVER, "updated_at": now}
        with self._database.work() as connection:
            connection.execute(self._insert(LEASES, empty))
            row = connection.execute(self._locked(run_id, LEASES.c.expires_at <= now)).one_or_none()
            if row is None:
                return None
            lease = Lease(run_id, owner_id, _token(run_id, owner_id, row.fence + 1), row.fence + 1)
            values = {"owner_id": owner_id, "lease_token": lease.token, "fence": lease.fence, "updated_at": now}
            connection.execute(update(LEASES).where(LEASES.c.run_id == run_id).values(**values, expires_at=now + ttl_us))
        return lease

    def renew(self, lease: Lease, ttl_us: int, now_us: int) -> bool:
        """Prolong a lease that has not expired; see the port."""
        now = self._now(now_us)
        with self._database.work() as connection:
            done = connection.execute(update(LEASES).where(*_held(lease, now)).values(expires_at=now + ttl_us, updated_at=now))
        return bool(done.rowcount)

    def holds(self, lease: Lease, now_us: int) -> bool:
        """Whether a lease is held; see the port."""
        with self._database.work() as connection:
            return connection.execute(select(LEASES.c.fence).where(*_held(lease, self._now(now_us)))).one_or_none() is not None

    def release(self, lease: Lease, now_us: int) -> None:
        """End a lease that is held; see the port."""
        now = self._now(now_us)
        with self._database.work() as connection:
            connection.execute(update(LEASES).where(*_held(lease, now)).values(expires_at=_OVER, updated_at=now))

    def rows(self) -> list[Equivalence]:
        """The registry in the order of its keys."""
        names = ("run_equivalence_key", "run_id", "intent_fingerprint", "first_seen_at")
        columns = [EQUIVALENCE.c[name] for name in names]
        with self._database.work() as connection:
            return sorted(Equivalence(*row) for row in connection.execute(select(*columns)))

    def restore(self, row: Equivalence, fence: int) -> None:
        """Write a row of the registry again; see the port."""
        values = {"run_id": row.run_id, "intent_fingerprint": row.intent_fingerprint, "first_seen_at": row.first_seen_us}
        kept = {"run_id": row.run_id, "owner_id": "", "lease_token": "", "fence": 0, "expires_at": _OVER, "updated_at": row.first_seen_us}
        with self._database.work() as connection:
            connection.execute(self._insert(EQUIVALENCE, {"run_equivalence_key": row.key, **values}))
            named = EQUIVALENCE.c.run_equivalence_key == row.key
            if tuple(connection.execute(select(EQUIVALENCE).where(named)).one()) != tuple(row):
                connection.execute(update(EQUIVALENCE).where(named).values(**values))  # only the owner of the tables may
            connection.execute(self._insert(LEASES, kept))
            connection.execute(update(LEASES).where(LEASES.c.run_id == row.run_id, LEASES.c.fence < fence).values(fence=fence))

    def _insert(self, table: Any, values: dict[str, Any]) -> Any:
        """An insert that leaves alone a row that is there."""
        dialect = sqlite if self._database.is_sqlite else postgresql
        return dialect.insert(table).values(**values).on_conflict_do_nothing()

    def _locked(self, run_id: str, *conditions: ColumnElement[bool]) -> Select[Any]:
        chosen = select(LEASES).where(LEASES.c.run_id == run_id)
        # the condition is judged after the lock is taken, else two could find the same expired lease
        return chosen.where(*conditions) if self._database.is_sqlite else chosen.where(*conditions).with_for_update()

    def _now(self, now_us: int) -> ColumnElement[int]:
        """The clock that judges: the argument for SQLite, the database's own for PostgreSQL."""
        if self._database.is_sqlite:
            return literal(now_us, BigInteger)
        return cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)


def open_authority(dsn: str) -> SqlAuthority:
    """The authority of an address. Raises Stop(SETTING_INVALID, DATABASE_NOT_MIGRATED, DATABASE_TOO_NEW), Retry(DATABASE_SILENT)."""
    database = Database(dsn)
    refuse_other_schema(database)
    return SqlAuthority(database)


def _held(lease: Lease, now: ColumnElement[int]) -> tuple[ColumnElement[bool], ...]:
    return LEASES.c.run_id == lease.run_id, LEASES.c.lease_token == lease.token, LEASES.c.expires_at > now


def _token(run_id: str, owner_id: str, fence: int) -> str:
    """hex64; no other lease has it, because no other lease of this run has the fence."""
    return hashlib.sha256(f"sr_lease|{run_id}|{owner_id}|{fence}".encode()).hexdigest()
