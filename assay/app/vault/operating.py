"""What people do with the vault: look a subject up, and erase it. As the owner of the database, which no component is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final, NamedTuple

import psycopg

from assay.app.sql_address import shown, told
from assay.app.vault import tables
from assay.app.vault.key import Subject, VaultKey
from assay.app.vault.tables import Connection, Row
from assay.app.vault.tokens import check_fingerprint
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

_CONNECT_TIMEOUT_S: Final = 5


class Told(NamedTuple):
    """What is said of one subject: `state` is HELD, ERASED or UNKNOWN. One that was erased and came again is HELD, and has both times.

    `erased_now`: by this call.
    """

    state: str
    token: str | None
    created_at: datetime | None
    erased_at: datetime | None
    erased_now: bool = False


def look_up(dsn: str, key: VaultKey, subjects: Sequence[Subject]) -> list[Told]:
    """What the vault knows of each subject, in their order.

    Raises Stop(VAULT_KEY_WRONG, DATABASE_NOT_MIGRATED), Retry(DATABASE_SILENT).
    """
    hashes = [key.subject_hash(one) for one in subjects]
    with _vault(dsn, key) as connection:
        rows = tables.rows_of(connection, hashes)
    return [_told(rows[hashed], erased_now=False) for hashed in hashes]


def erase(dsn: str, key: VaultKey, subjects: Sequence[Subject]) -> list[Told]:
    """Erase subjects, all or none, and say what is known of each after it. One that was erased before stays so. Raises as `look_up`."""
    hashes = [key.subject_hash(one) for one in subjects]
    with _vault(dsn, key) as connection:
        gone = tables.erase(connection, hashes)
        rows = tables.rows_of(connection, hashes)
    return [_told(rows[hashed], erased_now=hashed in gone) for hashed in hashes]


@contextmanager
def _vault(dsn: str, key: VaultKey) -> Iterator[Connection]:
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S) as connection:
            check_fingerprint(tables.first_fingerprint(connection, None), key)
            yield connection
    except psycopg.errors.UndefinedTable:
        remedy = "Run `assay db migrate` once with the address of the owner of the database."
        raise Stop(Reason.DATABASE_NOT_MIGRATED, "this database has no vault", where=shown(dsn), remedy=remedy) from None
    except psycopg.Error as error:
        what = f"the vault does not answer: {told(error, dsn)}"
        raise Retry(Reason.DATABASE_SILENT, what, where=shown(dsn), remedy="Call again when PostgreSQL is there.") from None


def _told(row: Row, *, erased_now: bool) -> Told:
    state = "HELD" if row.token is not None else "ERASED" if row.erased_at is not None else "UNKNOWN"
    return Told(state, *row, erased_now)
