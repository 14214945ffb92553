"""The database of the authority store by its address, and its refusals in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from assay.app.sql_address import shown, told
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")
#: how long a writer of SQLite waits for another one
_BUSY_S = 60
#: PostgreSQL ends the transaction of a process that sleeps in the middle of it: its locks end before its lease does
_ASLEEP_S = 60


class Database:
    """An engine and its address. Threads may share it; a connection is opened for each piece of work."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.engine = _engine(dsn)
        self.is_sqlite = self.engine.dialect.name == "sqlite"

    @contextmanager
    def work(self) -> Iterator[Connection]:
        """One transaction. Raises Retry(DATABASE_SILENT) where the database does not answer."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise silent(error, self.dsn) from None


def silent(error: DBAPIError, dsn: str) -> Retry:
    """A database that does not answer, told without its password."""
    what = f"the database of the Scenario Runner does not answer: {told(error.orig or error, dsn)}"
    return Retry(Reason.DATABASE_SILENT, what, where=shown(dsn), remedy="Start the database, or correct its address; then ask again.")


def _engine(dsn: str) -> Engine:
    address = dsn
    for prefix in _POSTGRES:
        if dsn.startswith(prefix):
            address = f"postgresql+psycopg://{dsn.removeprefix(prefix)}"
    if address == dsn and not dsn.startswith(SQLITE):
        raise _unusable(dsn, "it begins neither with sqlite:/// nor with postgresql://")
    if dsn.startswith(SQLITE):
        Path(dsn.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)
    try:
        # a connection per piece of work: none is found dead after the server was started again
        engine = create_engine(address, poolclass=NullPool, connect_args={"timeout": _BUSY_S} if dsn.startswith(SQLITE) else {})
    except (ArgumentError, ValueError) as error:
        raise _unusable(dsn, told(error, dsn)) from None
    if dsn.startswith(SQLITE):
        event.listen(engine, "connect", _own_transactions)
        event.listen(engine, "begin", _begin_immediate)
    else:
        event.listen(engine, "connect", _ends_if_asleep)
    return engine


def _own_transactions(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself


def _ends_if_asleep(connection: Any, _: object) -> None:
    connection.execute(f"SET idle_in_transaction_session_timeout = '{_ASLEEP_S}s'")
    connection.commit()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _unusable(dsn: str, why: str) -> Stop:
    remedy = "Write sqlite:///FILE or postgresql://USER@HOST/DATABASE."
    return Stop(Reason.SETTING_INVALID, f"the address of the database cannot be used: {why}", where=shown(dsn), remedy=remedy)
