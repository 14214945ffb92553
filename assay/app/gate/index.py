"""The admission index in PostgreSQL: which event was claimed by which batch, and where it lies on the bus.

A claim (one row per event) is made before the event is published; one row per batch settles all its claims at once with the
places they got. A claim whose batch row is absent is IN_FLIGHT, one without a place in it is AMBIGUOUS, any other ADMITTED.
So admission costs one bulk insert and one row per batch, nothing is updated, and `ig_admissions` shows it row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import psycopg

from assay.app.gate.admission import RecordMetadata, Standing
from assay.app.gate.index_tables import Connection, make_tables
from assay.app.sql_address import told
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

T = TypeVar("T")

#: keys and hashes come as one run of bytes each, cut into 32 bytes by row number: no array of them is built on either side
_INCOMING = """
WITH incoming AS MATERIALIZED (
  SELECT (at - 1)::int AS n, substring(%(keys)s::bytea FROM (at - 1)::int * 32 + 1 FOR 32) AS dedupe_key,
         substring(%(hashes)s::bytea FROM (at - 1)::int * 32 + 1 FOR 32) AS payload_hash, source_order, ts_us
  FROM unnest(%(orders)s::bigint[], %(times)s::bigint[]) WITH ORDINALITY AS given (source_order, ts_us, at))
"""
_CLAIM = _INCOMING + (
    ", fresh AS (INSERT INTO ig_claims (dedupe_key, payload_hash, batch, ordinal, source_order, ts_us)"
    " SELECT dedupe_key, payload_hash, %(batch)s::bigint, n, source_order, ts_us FROM incoming ORDER BY dedupe_key"
    " ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM fresh"
)
_STANDING = _INCOMING + (
    "SELECT i.n, c.payload_hash, c.source_order, c.ts_us, b.partitions[c.ordinal + 1], b.offsets[c.ordinal + 1]"
    " FROM incoming i JOIN ig_held c USING (dedupe_key) LEFT JOIN ig_batches b USING (batch)"
    " WHERE c.batch <> %(batch)s::bigint"
)
_RETAKE = "INSERT INTO ig_retakes (batch, ordinal, dedupe_key) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_SETTLE = "INSERT INTO ig_batches (batch, partitions, offsets) VALUES (%s, %s::int[], %s::bigint[]) ON CONFLICT DO NOTHING"
_TIMES = "SELECT dedupe_key, ts_us FROM ig_claims WHERE dedupe_key = ANY(%s)"
_SINCE = (
    "SELECT coalesce(extract(epoch FROM now() - b.settled_at), 0)::float8 FROM ig_held c LEFT JOIN ig_batches b USING (batch)"
    " WHERE c.dedupe_key = %s"
)
_PIN = "INSERT INTO ig_currencies VALUES (%s, %s) ON CONFLICT DO NOTHING"
_PINNED = "SELECT currency FROM ig_currencies WHERE platform_run_id = %s"
_MARK = (
    "INSERT INTO ig_marks VALUES (%s, %s, %s, %s) ON CONFLICT (platform_run_id, event_class)"
    " DO UPDATE SET ts_us = excluded.ts_us, final = ig_marks.final OR excluded.final"
)
#: the claims table is only ever reached by its key, whatever a planner without statistics thinks of its size
_SESSION = (
    b"SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
    b" SET lock_timeout = '8s'; SET statement_timeout = '30s'; SET synchronous_commit = "
)
_CONNECT_TIMEOUT_S = 5
#: below the epoch: batches of one gate, and items of one gate
_BATCH_BITS, _ITEM_BITS = 32, 40
#: a killed gate's connection is gone well before this
GUARD_PATIENCE_MS = 8_000


class Mark(NamedTuple):
    """A watermark of one event class: everything before `ts_us` (microseconds) was posted; after a final one, everything at all."""

    ts_us: int
    final: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """One event asking for its place: both digests are 32 bytes. The first claim of a key keeps its `source_order` and its time."""

    dedupe_key: bytes
    payload_hash: bytes
    source_order: int
    ts_us: int


class AdmissionIndex:
    """One connection's view of the index; not shared between threads. Every failure of the server is Retry(INDEX_UNAVAILABLE).

    `guard` names a run: the connection then holds that run's lock, and a second holder is refused. Claims need not be durable
    before their batch is settled (`durable=False`): the settling commit flushes everything before it, and a claim lost with
    the server was never answered.
    """

    def __init__(self, dsn: str, *, durable: bool = True, guard: str | None = None, patience_ms: int = GUARD_PATIENCE_MS) -> None:
        self._dsn = dsn
        self._durable = durable
        self._guard = guard
        self._patience_ms = patience_ms
        self._connection: Connection | None = None
        self._epoch = 0
        self._batches = self._items = 0

    def ready(self) -> None:
        """Connect if need be and ask the server for one row. Raises Retry(INDEX_UNAVAILABLE), Stop(GATE_ALREADY_RUNNING)."""
        self._run(lambda connection: connection.execute("SELECT 1").fetchone())

    def next_batch(self, items: int) -> tuple[int, int]:
        """(a batch number no other batch has, the number of the first of its items in order of arrival).

        Both have an epoch from the server above and a counter below, so they rise from batch to batch and from gate to gate.
        """
        if not self._epoch:
            self._epoch = self._run(_next_epoch)
        self._batches += 1
        first, self._items = self._items, self._items + items
        return (self._epoch << _BATCH_BITS) + self._batches, (self._epoch << _ITEM_BITS) + first

    def claim(self, claims: Sequence[Claim], batch: int) -> dict[int, Standing]:
        """Claim every new key for a batch; what is known of the others, by position in `claims`. Keys are distinct."""
        given = {
            "keys": b"".join([claim.dedupe_key for claim in claims]),
            "hashes": b"".join([claim.payload_hash for claim in claims]),
            "orders": _array([claim.source_order for claim in claims]),
            "times": _array([claim.ts_us for claim in claims]),
            "count": len(claims),
            "batch": batch,
        }
        return self._run(lambda connection: _claim(connection, given))

    def retake(self, claims: Sequence[tuple[int, Claim]], batch: int) -> None:
        """Move claims whose publication is unknown to this batch, at these ordinals; `batch` is later than any that had them."""
        rows = [(batch, ordinal, claim.dedupe_key) for ordinal, claim in claims]
        self._run(lambda connection: connection.cursor().executemany(_RETAKE, rows))

    def settle(self, batch: int, places: Sequence[RecordMetadata | None]) -> None:
        """Record the place of every claim of a batch by ordinal, durably; None stays AMBIGUOUS."""
        partitions = _array([None if place is None else place.partition for place in places])
        offsets = _array([None if place is None else place.offset for place in places])
        self._run(lambda connection: connection.execute(_SETTLE, (batch, partitions, offsets), prepare=True))

    def times(self, keys: Sequence[bytes]) -> dict[bytes, int | None]:
        """Dedupe key → time of the event in microseconds, of those that were claimed. A claim of an older version has no time."""
        return dict(self._run(lambda connection: connection.execute(_TIMES, (list(keys),), binary=True).fetchall()))

    def admitted_since_s(self, key: bytes) -> float | None:
        """Seconds since the event with this key was admitted, 0 while that is under way; None when nothing is known of it."""
        row = self._run(lambda connection: connection.execute(_SINCE, (key,)).fetchone())
        return None if row is None else float(row[0])

    def pin_currency(self, platform_run_id: str, currency: str) -> str:
        """The one currency of a run: the first that was given."""

        def pin(connection: Connection) -> str:
            connection.execute(_PIN, (platform_run_id, currency))
            row = connection.execute(_PINNED, (platform_run_id,)).fetchone()
            return currency if row is None else str(row[0])

        return self._run(pin)

    def marks(self, platform_run_id: str) -> dict[str, Mark]:
        """The last mark of each event class of a run."""
        query = "SELECT event_class, ts_us, final FROM ig_marks WHERE platform_run_id = %s"
        rows = self._run(lambda connection: connection.execute(query, (platform_run_id,)).fetchall())
        return {str(name): Mark(int(ts_us), bool(final)) for name, ts_us, final in rows}

    def mark(self, platform_run_id: str, event_class: str, ts_us: int, final: bool) -> None:
        """Remember a mark before it is published."""
        self._run(lambda connection: connection.execute(_MARK, (platform_run_id, event_class, ts_us, final)))

    def ask(self, question: Callable[[Connection], T]) -> T:
        """The answer to a question that changes nothing."""
        return self._run(question)

    def close(self) -> None:
        """Give the connection, and with it the run's lock, back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(self, work: Callable[[Connection], T]) -> T:
        """Do the work, once more on a new connection if the old one turns out to be gone: every statement here may be repeated."""
        try:
            try:
                return work(self._open())
            except psycopg.OperationalError:
                self.close()
                return work(self._open())
        except psycopg.Error as error:
            self.close()
            what = f"the admission index does not answer: {told(error, self._dsn)}"
            raise Retry(Reason.INDEX_UNAVAILABLE, what, remedy="The gate reconnects by itself; send the same call again.") from None

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Connection:
        connection = psycopg.connect(self._dsn, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S)
        connection.execute(_SESSION + (b"on" if self._durable else b"off"))
        make_tables(connection)
        if self._guard is not None:
            self._take_guard(connection)
        return connection

    def _take_guard(self, connection: Connection) -> None:
        try:
            connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{self._patience_ms}ms",))
            connection.execute("SELECT pg_advisory_lock(hashtextextended('ig_gate:' || current_schema() || ':' || %s, 0))", (self._guard,))
        except psycopg.errors.LockNotAvailable:
            connection.close()
            raise Stop(
                Reason.GATE_ALREADY_RUNNING,
                f"another gate admits for {self._guard}",
                remedy="One gate serves a run; stop the other one first.",
            ) from None


def _next_epoch(connection: Connection) -> int:
    """Durable whatever the session's setting: an epoch that a crashed server forgot would be given out twice."""
    with connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = on")
        row = connection.execute("SELECT nextval('ig_epoch')").fetchone()
    return 0 if row is None else int(row[0])


def _claim(connection: Connection, given: dict[str, Any]) -> dict[int, Standing]:
    row = connection.execute(_CLAIM, given, prepare=True, binary=True).fetchone()
    if row is not None and row[0] == given["count"]:
        return {}
    rows = connection.execute(_STANDING, given, prepare=True, binary=True).fetchall()
    return {
        n: Standing(hashed, source_order, None if offset is None else RecordMetadata(partition, offset), ts_us)
        for n, hashed, source_order, ts_us, partition, offset in rows
    }


def _array(values: Sequence[int | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"
