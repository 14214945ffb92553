"""What of a run's batches has no end yet: begun and not settled, or settled with events that nobody found. One connection's view."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple

from assay.app.gate.index import BATCH_BITS, AdmissionIndex, Process
from assay.app.gate.index_tables import LOCK_KEY, Connection
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

#: how long a mark waits for batches of other processes; a publisher gives a batch up before
PATIENCE_S: Final = 13.0
#: longer than any call of a gate's index
QUIET_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.005
_OPEN: Final = (
    "SELECT epoch, process FROM ig_epochs e WHERE platform_run_id = %s"
    " AND NOT EXISTS (SELECT FROM ig_ended d WHERE d.epoch = e.epoch) ORDER BY epoch"
)
#: open epochs and for how long they have begun nothing
_QUIET: Final = """
SELECT epoch, process, extract(epoch FROM now() - coalesce(
  (SELECT g.begun_at FROM ig_begun g WHERE g.batch >= epoch << 32 AND g.batch < (epoch + 1) << 32 ORDER BY g.batch DESC LIMIT 1), begun_at))
FROM ig_epochs e WHERE platform_run_id = %s AND NOT EXISTS (SELECT FROM ig_ended d WHERE d.epoch = e.epoch) ORDER BY epoch
"""
_ENDED: Final = "INSERT INTO ig_ended (epoch) VALUES (%s) ON CONFLICT DO NOTHING"
_LAST: Final = "SELECT max(batch) FROM ig_begun WHERE batch >= %s AND batch < %s"
_UNSETTLED: Final = (
    "SELECT g.batch, extract(epoch FROM now() - g.begun_at)::float8 FROM ig_begun g LEFT JOIN ig_batches b USING (batch)"
    " WHERE g.batch >= %s AND g.batch <= %s AND b.batch IS NULL ORDER BY g.batch"
)
#: a process is gone when a later one has its number, or nobody has its lock
_GONE: Final = """
SELECT EXISTS (SELECT FROM ig_epochs e WHERE e.platform_run_id = %s AND e.process = %s AND e.epoch > %s) OR NOT EXISTS (
  SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32) | l.objid::bigint = @key)
""".replace("@key", LOCK_KEY)
#: settled batches that nobody released, and how many of their events were found nowhere
_MISSING: Final = """
  SELECT b.batch, b.unknown - (SELECT count(*)::int FROM ig_found f WHERE f.batch = b.batch) AS missing
  FROM ig_batches b JOIN ig_epochs e ON e.epoch = b.batch >> 32
  WHERE b.unknown > 0 AND e.platform_run_id = %(run)s AND NOT EXISTS (SELECT FROM ig_released r WHERE r.batch = b.batch)"""
_AMBIGUOUS: Final = """
SELECT batch, missing, extract(epoch FROM now() - g.begun_at)::float8, s.batch IS NOT NULL
FROM (@missing) AS m JOIN ig_begun g USING (batch) LEFT JOIN ig_scanned s USING (batch) WHERE missing > 0 ORDER BY batch
""".replace("@missing", _MISSING)
#: the same and what is begun, of a gate that does not admit
_UNKNOWN: Final = """
SELECT (SELECT coalesce(sum(missing), 0) FROM (@missing) AS m) + (
  SELECT coalesce(sum(g.records + (SELECT count(*) FROM ig_retakes t WHERE t.batch = g.batch)), 0)
  FROM ig_epochs e JOIN ig_begun g ON g.batch >= e.epoch << 32 AND g.batch < (e.epoch + 1) << 32 LEFT JOIN ig_batches b USING (batch)
  WHERE e.platform_run_id = %(run)s AND NOT EXISTS (SELECT FROM ig_ended d WHERE d.epoch = e.epoch) AND b.batch IS NULL
)
""".replace("@missing", _MISSING)


class Begun(NamedTuple):
    """A batch that is not settled, since `age_s` seconds."""

    batch: int
    process: int
    age_s: float

    @property
    def epoch(self) -> int:
        """The epoch of the process that began it."""
        return self.batch >> BATCH_BITS


class Ambiguous(NamedTuple):
    """A settled batch of which `missing` events were found nowhere; `scanned`: the bus was read after its producer was through."""

    batch: int
    missing: int
    age_s: float
    scanned: bool


class Unsettled:
    """Batches of one run. `active` are those that this very process has on its way; it looks at the others."""

    def __init__(
        self,
        index: AdmissionIndex,
        platform_run_id: str,
        active: Callable[[], Collection[int]] = tuple,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._index, self._run, self._active, self._patience_s = index, platform_run_id, active, patience_s
        #: epoch → every batch below is settled
        self._settled: dict[int, int] = {}

    def batches(self) -> list[Begun]:
        """What is begun and not settled, apart from what this process has on its way. Raises Retry(INDEX_UNAVAILABLE)."""
        return self.looked()[1]

    def looked(self) -> tuple[list[Begun], list[Begun]]:
        """All that are begun and not settled, the oldest of each process first, and of these what this process has not on its way.

        Raises Retry(INDEX_UNAVAILABLE).
        """
        active = set(self._active())  # looked at first: what ends meanwhile is settled in the rows
        every = list(self._index.ask(self._begun))
        return every, [one for one in every if one.batch not in active]

    def is_gone(self, one: Begun) -> bool:
        """Whether the process of a batch is known to be dead. Raises Retry(INDEX_UNAVAILABLE)."""
        return self._is_gone(one.epoch, one.process)

    def end_dead(self) -> None:
        """Note which epochs are over: their process is dead, and all they began is settled. Nobody looks into them again.

        A claim may reach the index a moment after its process lost its lock, so an epoch has to be quiet. Raises Retry(INDEX_UNAVAILABLE).
        """
        rows = self._index.ask(lambda connection: connection.execute(_QUIET, (self._run,)).fetchall())
        quiet = [(int(epoch), int(process)) for epoch, process, quiet_s in rows if quiet_s > QUIET_S]
        if not quiet:
            return
        busy = {one.epoch for one in self._index.ask(self._begun)}
        for epoch, process in quiet:
            if epoch not in busy and self._is_gone(epoch, process):
                self._end(epoch)

    def ambiguous(self) -> list[Ambiguous]:
        """Settled batches with events that have no place and that no operator released. Raises Retry(INDEX_UNAVAILABLE)."""
        rows = self._index.ask(lambda connection: connection.execute(_AMBIGUOUS, {"run": self._run}).fetchall())
        return [Ambiguous(int(batch), int(missing), float(age_s), bool(scanned)) for batch, missing, age_s, scanned in rows]

    def wait(self) -> None:
        """Return when every batch begun before the call is settled, with a place for each of its events.

        Raises Retry(ADMISSION_IN_FLIGHT | ADMISSION_AMBIGUOUS | INDEX_UNAVAILABLE).
        """
        left, until = {one.batch for one in self.batches()}, time.monotonic() + self._patience_s
        while left:
            if time.monotonic() > until:
                what = f"{len(left)} batches of this run's gate are not settled"
                raise Retry(Reason.ADMISSION_IN_FLIGHT, what, remedy="Send the same mark again: the gate looks for them on the bus.")
            time.sleep(_LOOK_EVERY_S)
            left &= {one.batch for one in self.batches()}
        missing = sum(one.missing for one in self.ambiguous())
        if missing:
            what = f"nobody knows yet whether {missing} events are on the bus: a mark would leave them behind"
            remedy = "The gate looks for them; send the same mark again. An operator settles what it does not find: assay gate resolve."
            raise Retry(Reason.ADMISSION_AMBIGUOUS, what, remedy=remedy)

    def _is_gone(self, epoch: int, process: int) -> bool:
        given = (self._run, process, epoch, Process(self._run, process).lock)
        row = self._index.ask(lambda connection: connection.execute(_GONE, given).fetchone())
        return bool(row and row[0])

    def _end(self, epoch: int) -> None:
        self._index.ask(lambda connection: connection.execute(_ENDED, (epoch,)))

    def _begun(self, connection: Connection) -> Sequence[Begun]:
        found: list[Begun] = []
        for epoch, process in connection.execute(_OPEN, (self._run,)).fetchall():
            first = self._settled.get(epoch, epoch << BATCH_BITS)
            row = connection.execute(_LAST, (first, (epoch + 1) << BATCH_BITS)).fetchone()
            if row is None or row[0] is None:
                continue
            rows = connection.execute(_UNSETTLED, (first, row[0])).fetchall()
            self._settled[epoch] = rows[0][0] if rows else row[0]
            found += [Begun(int(batch), int(process), float(age_s)) for batch, age_s in rows]
        return found


def unknown_events(connection: Connection, platform_run_id: str) -> int:
    """Events of a run of which nobody knows whether they are on the bus. The gate must not be admitting meanwhile. Raises psycopg.Error."""
    row = connection.execute(_UNKNOWN, {"run": platform_run_id}).fetchone()
    return int(row[0]) if row else 0
