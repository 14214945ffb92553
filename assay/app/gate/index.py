"""The admission index in PostgreSQL: which event was claimed by which batch, and where it lies on the bus.

Claims (one row per event) are made, durably, before their events are published; one row per batch settles all its claims at once with
the places they got. So admission costs one bulk insert and one row per batch, and nothing is updated. `ig_admissions` shows it event by
event: IN_FLIGHT without the row of its batch, AMBIGUOUS without a place in it, ADMITTED with one (docs/decisions/0035).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import psycopg

from assay.app.gate.index_tables import LOCK_KEY, Connection, make_tables
from assay.app.gate.standing import Admission, RecordMetadata, Standing
from assay.app.sql_address import told
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

T = TypeVar("T")

#: keys and hashes come as one run of bytes each, cut into 32 bytes by row number: no array of them is built on either side
_INCOMING = """
WITH incoming AS MATERIALIZED (
  SELECT (at - 1)::int AS n, substring(%(keys)s::bytea FROM (at - 1)::int * 32 + 1 FOR 32) AS dedupe_key
  FROM generate_series(1, octet_length(%(keys)s::bytea) / 32) AS at)
"""
_CLAIM = (
    "SELECT ig_claim(%(run)s::text, %(marks)s::text, %(batch)s::bigint, %(bounds)s::text, %(keys)s::bytea, %(hashes)s::bytea,"
    " %(orders)s::bigint[], %(times)s::bigint[])"
)
_STANDING = _INCOMING + (
    'SELECT i.n, c.payload_hash, c.source_order, c.ts_us, c.partition, c."offset", c.state'
    " FROM incoming i LEFT JOIN ig_standing c USING (dedupe_key) WHERE c.batch IS DISTINCT FROM %(batch)s::bigint"
)
_BEGIN = "INSERT INTO ig_begun (batch, records, bounds) VALUES (%s, 0, %s) ON CONFLICT DO NOTHING"
_RETAKE = (
    "INSERT INTO ig_retakes (batch, ordinal, dedupe_key, of_batch) SELECT %s, given.n, given.k, c.batch"
    " FROM unnest(%s::int[], %s::bytea[]) AS given (n, k) JOIN ig_standing c ON c.dedupe_key = given.k AND c.state = 'RELEASED'"
    " ORDER BY given.k ON CONFLICT DO NOTHING"
)
_RETAKEN = "SELECT ordinal FROM ig_retakes WHERE batch = %s"
_SETTLE = "INSERT INTO ig_batches (batch, partitions, offsets, unknown) VALUES (%s, %s::int[], %s::bigint[], %s) ON CONFLICT DO NOTHING"
_RELEASE = "INSERT INTO ig_released (batch, by) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_TIMES = "SELECT dedupe_key, ts_us FROM ig_claims WHERE dedupe_key = ANY(%s)"
_KNOWN = "SELECT dedupe_key FROM ig_standing WHERE dedupe_key = ANY(%s) AND state <> 'RELEASED'"
_SINCE = "SELECT coalesce(extract(epoch FROM now() - settled_at), 0)::float8 FROM ig_standing WHERE dedupe_key = %s"
_PIN = "INSERT INTO ig_currencies VALUES (%s, %s) ON CONFLICT DO NOTHING"
_PINNED = "SELECT currency FROM ig_currencies WHERE platform_run_id = %s"
_EPOCH = "INSERT INTO ig_epochs (epoch, platform_run_id, process) SELECT nextval('ig_epoch'), %s, %s RETURNING epoch"
_ENDED = "INSERT INTO ig_ended (epoch) VALUES (%s) ON CONFLICT DO NOTHING"
#: the claims table is only ever reached by its key, whatever a planner without statistics thinks of its size
_SESSION = (
    b"SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
    b" SET lock_timeout = '8s'; SET statement_timeout = '30s'; SET synchronous_commit = "
)
_CONNECT_TIMEOUT_S = 5
#: below the epoch: batches of one gate, and items of one gate
BATCH_BITS, _ITEM_BITS = 32, 40
#: a killed gate's connection is gone well before this
GUARD_PATIENCE_MS = 8_000


class Process(NamedTuple):
    """One process of a run's gate, by its number from 0."""

    platform_run_id: str
    number: int = 0

    @property
    def name(self) -> str:
        """How its files and logs are called; those of the first process have no name."""
        return f"p{self.number}" if self.number else ""

    @property
    def lock(self) -> str:
        """The name of the lock that it holds while it lives. Two processes of one number are never alive at once."""
        return f"{self.platform_run_id}:{self.number}"


class Claim(Protocol):
    """An event that asks for its place: both digests are 32 bytes. The first claim of a key keeps its `source_order` and its time."""

    dedupe_key: bytes
    payload_hash: bytes
    source_order: int
    ts_us: int


class MarksMoved(Exception):
    """The marks are others than those that events were examined with: they have to be examined again."""


class AdmissionIndex:
    """One connection's view of the index; not shared between threads. Every failure of the server is Retry(INDEX_UNAVAILABLE).

    `process` is that of the thread that claims: the connection then holds its lock, and a second holder is refused.
    """

    def __init__(self, dsn: str, *, durable: bool = True, process: Process | None = None, patience_ms: int = GUARD_PATIENCE_MS) -> None:
        self._dsn = dsn
        self._durable = durable
        self.process = process
        self._run_id = process.platform_run_id if process else ""
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
        self._run(lambda _: None)  # a new connection begins a new epoch
        if not self._epoch:
            self._epoch = self._run(lambda connection: _next_epoch(connection, self.process))
        self._batches += 1
        first, self._items = self._items, self._items + items
        return (self._epoch << BATCH_BITS) + self._batches, (self._epoch << _ITEM_BITS) + first

    @property
    def epoch(self) -> int:
        """The number of this process among all that ever claimed, 0 before its first batch."""
        return self._epoch

    def ended(self) -> None:
        """Say that every batch of this epoch is settled: nobody has to look into it again."""
        if self._epoch:
            self._run(lambda connection: connection.execute(_ENDED, (self._epoch,)))

    def claim(self, claims: Sequence[Claim], batch: int, bounds: str = "{}", marks: str = "") -> dict[int, Standing]:
        """Claim every new key for a batch; what is known of the others, by position in `claims`. Keys are distinct.

        `bounds` say from where on its records may lie on the bus, `marks` is `marks_text` of those that the events were examined with.
        Raises MarksMoved, with nothing claimed, where a mark has come since.
        """
        given = {
            "keys": b"".join([claim.dedupe_key for claim in claims]),
            "hashes": b"".join([claim.payload_hash for claim in claims]),
            "orders": _array([claim.source_order for claim in claims]),
            "times": _array([claim.ts_us for claim in claims]),
            "count": len(claims),
            "batch": batch,
            "bounds": bounds,
            "marks": marks,
            "run": self._run_id,
        }
        return self._run(lambda connection: _claim(connection, given))

    def retake(self, claims: Sequence[tuple[int, Claim]], batch: int, bounds: str = "{}") -> set[int]:
        """Move released claims to this batch, which is later than any that had them; the ordinals of those that no other batch took."""

        def move(connection: Connection) -> set[int]:
            with connection.transaction():
                connection.execute(_RETAKE, (batch, [n for n, _ in claims], [claim.dedupe_key for _, claim in claims]))
                taken = {int(row[0]) for row in connection.execute(_RETAKEN, (batch,)).fetchall()}
                if taken:
                    connection.execute(_BEGIN, (batch, bounds))
                return taken

        return self._run(move)

    def settle(self, batch: int, places: Sequence[RecordMetadata | None], unknown: int = 0, *, refused: bool = False) -> None:
        """Record the place of every claim of a batch by ordinal, durably. `unknown` of those it published have none: they are AMBIGUOUS,
        or RELEASED where all of them were `refused` by the producer, so that they cannot be on the bus."""
        partitions = _array([None if place is None else place.partition for place in places])
        offsets = _array([None if place is None else place.offset for place in places])

        def record(connection: Connection) -> None:
            if refused:  # first: a batch that is over and not released waits for an operator
                connection.execute(_RELEASE, (batch, "the gate: no record of it was handed to a producer"))
            connection.execute(_SETTLE, (batch, partitions, offsets, unknown), prepare=True)

        self._run(record)

    def times(self, keys: Sequence[bytes]) -> dict[bytes, int | None]:
        """Dedupe key → time of the event in microseconds, of those that were claimed. A claim of an older version has no time."""
        return dict(self._run(lambda connection: connection.execute(_TIMES, (list(keys),), binary=True).fetchall()))

    def known(self, keys: Sequence[bytes]) -> set[bytes]:
        """Dedupe keys of events that are admitted, or may be."""
        return {row[0] for row in self._run(lambda connection: connection.execute(_KNOWN, (list(keys),), binary=True).fetchall())}

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

    def ask(self, question: Callable[[Connection], T]) -> T:
        """What `question` makes of the connection. It is asked again on a new connection if the old one is gone."""
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
        if self.process is not None:
            self._begin_epoch(connection, self.process)
        return connection

    def _begin_epoch(self, connection: Connection, process: Process) -> None:
        """The lock was free for a moment: what was begun under it is over, and a later epoch says so before anything is admitted."""
        try:
            self._take_lock(connection, process)
            self._epoch, self._batches, self._items = _next_epoch(connection, process), 0, 0
        except BaseException:
            connection.close()
            raise

    def _take_lock(self, connection: Connection, process: Process) -> None:
        try:
            connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{self._patience_ms}ms",))
            connection.execute(f"SELECT pg_advisory_lock({LOCK_KEY})", (process.lock,))
        except psycopg.errors.LockNotAvailable:
            raise Stop(
                Reason.GATE_ALREADY_RUNNING,
                f"another gate admits for {process.platform_run_id}",
                remedy="One gate serves a run, with as many processes as it needs (--processes); stop the other one first.",
            ) from None


def _next_epoch(connection: Connection, process: Process | None) -> int:
    """Durable whatever the session's setting: an epoch that a crashed server forgot would be given out twice."""
    with connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = on")
        row = connection.execute(*("SELECT nextval('ig_epoch')",) if process is None else (_EPOCH, process)).fetchone()
    return 0 if row is None else int(row[0])


def _claim(connection: Connection, given: dict[str, Any]) -> dict[int, Standing]:
    """See `ig_claim` in the tables: one call, one transaction, one answer."""
    row = connection.execute(_CLAIM, given, prepare=True, binary=True).fetchone()
    if row is None or row[0] < 0:
        raise MarksMoved
    if row[0] == given["count"]:
        return {}
    rows = connection.execute(_STANDING, given, prepare=True, binary=True).fetchall()
    return {
        n: _forgotten_meanwhile(given["hashes"], n)
        if hashed is None
        else Standing(hashed, source_order, None if offset is None else RecordMetadata(partition, offset), ts_us, Admission(state))
        for n, hashed, source_order, ts_us, partition, offset, state in rows
    }


def _forgotten_meanwhile(hashes: bytes, n: int) -> Standing:
    """Its claim was there, and was forgotten before it was read. Who sends it again is told what it is by then."""
    return Standing(hashes[n * 32 : n * 32 + 32], 0, None, None, Admission.IN_FLIGHT)


def _array(values: Sequence[int | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"
