"""Bring a database to the tables of this version, and give each component its rights. Only the owner of the database can."""

from __future__ import annotations

from typing import NamedTuple

import psycopg

from assay.app.authority.database import SQLITE
from assay.app.authority.migrate import migrate
from assay.app.database.rights import give_rights
from assay.app.gate.index_tables import make_tables
from assay.app.sql_address import shown, told
from assay.app.streamer.sql_checkpoint import SCHEMA as CHECKPOINTS
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

_CONNECT_TIMEOUT_S = 5


class Prepared(NamedTuple):
    """The revision of the Scenario Runner's tables before and after, whether the gate's tables were made, and the roles with rights."""

    before: str
    after: str
    gate_tables_made: bool = False
    roles: tuple[str, ...] = ()


def prepare(dsn: str) -> Prepared:
    """Make what is missing in a database. Doing it again changes nothing. SQLite holds the Scenario Runner's tables only.

    Raises Stop(DATABASE_TOO_NEW, DATABASE_NOT_MIGRATED, SETTING_INVALID), Retry(DATABASE_SILENT).
    """
    done = migrate(dsn)
    if dsn.startswith(SQLITE):
        return Prepared(*done)
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S) as connection:
            made = make_tables(connection)
            connection.execute(CHECKPOINTS)
            with connection.transaction():  # of two at once the second would meet rows of the catalogue that the first has changed
                connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('assay_rights', 0))")
                roles = give_rights(connection)
    except psycopg.Error as error:
        what = f"the database cannot be prepared: {told(error, dsn)}"
        raise Retry(Reason.DATABASE_SILENT, what, where=shown(dsn), remedy="Give the address of the owner of the database.") from None
    return Prepared(*done, made, tuple(roles))
