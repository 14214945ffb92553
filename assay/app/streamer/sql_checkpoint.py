"""Cursors in PostgreSQL: a row per run, sequence and lane."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Timer
from typing import Any, Final, TypeAlias, TypeVar

import psycopg

from assay.app.sql_address import told
from assay.app.streamer.checkpoint import Cursor, within
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
T = TypeVar("T")

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS wsp_checkpoint (
  scope_key text, name text, position bigint NOT NULL, complete boolean NOT NULL, next_us bigint, updated_at_utc timestamptz NOT NULL,
  PRIMARY KEY (scope_key, name))
"""
_LOAD: Final = "SELECT position, complete, next_us FROM wsp_checkpoint WHERE scope_key = %s AND name = %s"
_SAVE: Final = (
    "INSERT INTO wsp_checkpoint VALUES (%s, %s, %s, %s, %s, now()) ON CONFLICT (scope_key, name)"
    " DO UPDATE SET position = excluded.position, complete = excluded.complete, next_us = excluded.next_us,"
    " updated_at_utc = excluded.updated_at_utc"
)
_BEGIN: Final = "INSERT INTO wsp_checkpoint VALUES (%s, %s, %s, false, null, now()) ON CONFLICT (scope_key, name) DO NOTHING"
_CONNECT_TIMEOUT_S: Final = 10
#: for how long a server that went away is asked again: that of a restart
PATIENCE_S: Final = 15.0
_PAUSE_S: Final = 0.25
#: for how long one statement is waited for
ANSWER_S: Final = 10.0


class Cursors:
    """The connection of one process, for one thread after another. A server that is started again is waited for, at most `patience_s`.

    One whose port is open and that says nothing for `answer_s` counts as away.
    """

    def __init__(self, dsn: str, patience_s: float = PATIENCE_S, answer_s: float = ANSWER_S) -> None:
        self._dsn, self._patience_s, self._answer_s = dsn, patience_s, answer_s
        self._connection: Connection | None = None
        self._lock = Lock()

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(self, query: Callable[[Connection], T]) -> T:
        """Run a query and commit. Raises Retry(DATABASE_SILENT), Stop(DATABASE_NOT_MIGRATED)."""
        with self._lock:
            return self._patiently(query)

    def _patiently(self, query: Callable[[Connection], T]) -> T:
        ends_s, tries = time.monotonic() + self._patience_s, 0
        while True:
            tries += 1
            try:
                return self._asked(query)
            except psycopg.errors.UndefinedTable:
                self.close()
                remedy = "Call `assay db migrate` once, with the address of the owner of the tables."
                what = "the database has no table of checkpoints"
                raise Stop(Reason.DATABASE_NOT_MIGRATED, what, where="wsp_checkpoint", remedy=remedy) from None
            except psycopg.OperationalError as error:
                self.close()
                if tries > 1 and time.monotonic() >= ends_s:
                    what = f"the database of checkpoints does not answer: {told(error, self._dsn)}"
                    remedy = "Start it, then run the same command again: it resumes."
                    raise Retry(Reason.DATABASE_SILENT, what, where="wsp_checkpoint", remedy=remedy) from None
            if tries > 1:  # a connection that only was old is made again at once
                time.sleep(_PAUSE_S)

    def _asked(self, query: Callable[[Connection], T]) -> T:
        connection = self._connected()
        with _cut_after(self._answer_s, connection):
            found = query(connection)
            connection.commit()
        return found

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = psycopg.connect(self._dsn, connect_timeout=_CONNECT_TIMEOUT_S)
        return self._connection


@contextmanager
def _cut_after(seconds: float, connection: Connection) -> Iterator[None]:
    """End a connection that a server leaves without an answer for so long: a statement's own bound is the server's, which may be frozen."""

    def cut() -> None:
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as one:
            one.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class SqlCheckpoint:
    """The cursor of `name` under a scope, which names the run, its world and its configuration: another scope has another row."""

    def __init__(self, cursors: Cursors, name: str, scope: str) -> None:
        self._cursors, self._name, self._scope = cursors, name, scope

    def load(self, total: int) -> Cursor:
        """See `Keeper`. Raises Retry(DATABASE_SILENT), too."""
        row = self._cursors.ask(lambda connection: connection.execute(_LOAD, (self._scope, self._name)).fetchone())
        return within(Cursor(*row), total, f"wsp_checkpoint {self._name}") if row else Cursor()

    def save(self, cursor: Cursor) -> None:
        """Write the cursor durably. Raises Retry(DATABASE_SILENT)."""
        self._cursors.ask(lambda connection: connection.execute(_SAVE, (self._scope, self._name, *cursor)))


def sql_lanes_kept(cursors: Cursors, name: str, scope: str, lanes: int) -> int:
    """The number of lanes that the first process of a run wrote, which is this one where there is none; it stands as a position."""

    def kept(connection: Connection) -> int:
        connection.execute(_BEGIN, (scope, name, lanes))
        row = connection.execute(_LOAD, (scope, name)).fetchone()
        assert row is not None
        return int(row[0])

    return cursors.ask(kept)
