"""A step that holds rows: a row waits for a key that another row brings, and goes on at once when the key comes.

A row that waits in vain goes on at its due time. Under `event_time` that is a watermark: the row goes on before the first row whose
`ts_us` is not before it, so pacing and batches change nothing. Under `arrival` it is wall time: the next journal record at or after it,
and while rows are held the active worker writes a TICK for it. A released row keeps its own `ts_us`: windows count it in its own bucket.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.agents.batch import Batch, Result, Step
from assay.agents.merge import END_OF_TIME
from assay.agents.row_order import Ordering
from assay.codecs.columns import I64
from assay.codecs.table_state import TableState
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.held_rows import HeldRows, Waiting, row_sizes

#: the column every step of this kind writes: True for a row that went on without its key
TIMED_OUT = "held.timed_out"


class HoldingStep(Step):
    """Inherit and say which rows wait and which bring a key. `wait_us`: how long a row waits at most; `bytes_max` bounds what is held.

    Raises Stop(SETTING_INVALID) for a wait or a bound that is not positive.
    """

    def __init__(self, ordering: Ordering, wait_us: int, bytes_max: int) -> None:
        if wait_us < 1 or bytes_max < 1:
            what = f"a step that holds rows has a wait of {wait_us} us and a bound of {bytes_max} bytes"
            raise Stop(Reason.SETTING_INVALID, what, remedy="Give positive numbers.")
        self._by_event_time = ordering == "event_time"
        self._wait_us = wait_us
        self._held = HeldRows(bytes_max)

    @abstractmethod
    def waits_for(self, batch: Batch) -> Sequence[bytes | None]:
        """For each row the key it waits for, None for a row that goes on at once."""

    @abstractmethod
    def brings(self, batch: Batch) -> Sequence[bytes | None]:
        """For each row the key that it brings, None if it brings none."""

    @abstractmethod
    def knows(self, key: bytes) -> bool:
        """Whether the key came before: then a row does not wait."""

    @abstractmethod
    def learn(self, key: bytes, ts_us: int) -> None:
        """A row brought this key."""

    def handle(self, batch: Batch) -> Result:
        walk = _Walk(batch, self._held)
        if not self._by_event_time:
            walk.release_due(batch.context.wall_us, 0)
        if batch.rows:
            self._walk(batch, walk)
        if self._by_event_time:
            walk.release_by_time(batch.context.watermark_us)
        return walk.result()

    def _walk(self, batch: Batch, walk: _Walk) -> None:
        waits, brings = self.waits_for(batch), self.brings(batch)
        for row in np.flatnonzero(batch.live).tolist():
            wanted, brought = waits[row], brings[row]
            if wanted is None and brought is None:
                continue
            ts_us = int(walk.times[row])
            if self._by_event_time:
                walk.release_by_time(ts_us)
            if brought is not None:
                self.learn(brought, ts_us)
                walk.release_key(brought, row)
            if wanted is not None and not self.knows(wanted):
                since_us = ts_us if self._by_event_time else batch.context.wall_us
                walk.hold(row, wanted, min(since_us + self._wait_us, END_OF_TIME))
        if self._by_event_time:  # rows that neither wait nor bring a key pass time, too
            walk.release_by_time(int(walk.times[-1]))

    def release_us(self) -> int | None:
        return None if self._by_event_time else self._held.next_due_us()

    def state(self) -> TableState:
        return self._held.state()

    def restore(self, state: TableState) -> None:
        self._held = HeldRows.from_state(state)


class _Walk:
    """One batch: which rows are held in it, and which go on where. A place is (row, 0) for the row itself, (row, -1) before it."""

    def __init__(self, batch: Batch, held: HeldRows) -> None:
        self._batch, self._held = batch, held
        self.times: I64 = np.asarray(batch.columns["ts_us"]) if batch.rows else np.zeros(0, np.int64)
        self._sizes = row_sizes(dict(batch.columns)) if batch.rows else np.zeros(0, np.int64)
        self._held_here: dict[int, int] = {}
        self._released: list[tuple[tuple[int, int], int, bool]] = []

    def hold(self, row: int, key: bytes, due_us: int) -> None:
        """A row of the batch waits."""
        number = self._held.hold(Waiting(key, due_us, int(self._sizes[row])))
        self._held_here[number] = row
        for over in self._held.over_bound():
            self._held.release(over)
            self._released.append(((row, 1), over, True))

    def release_key(self, key: bytes, row: int) -> None:
        """Rows that wait for the key that this row brings go on right behind it."""
        for number in self._held.waiting_for(key):
            self._held.release(number)
            self._released.append(((row, 1), number, False))

    def release_due(self, now_us: int, row: int) -> None:
        """Rows whose time has come go on before this row."""
        self._released += [((row, -1), number, True) for _, number in self._held.take_due(now_us)]

    def release_by_time(self, now_us: int) -> None:
        """Rows whose event time has come go on before the first row that is not before it."""
        for due_us, number in self._held.take_due(now_us):
            self._released.append(((int(np.searchsorted(self.times, due_us)), -1), number, True))

    def result(self) -> Result:
        """The rows that go on, each in its place."""
        n = self._batch.rows
        if not self._held_here and not self._released:
            return Result(columns={TIMED_OUT: np.zeros(n, np.bool_)})
        staying = set(self._held_here.values())
        going = [((row, 0), at, False, row) for at, row in enumerate(range(n)) if row not in staying]
        freed = [(place, at, True, number) for at, (place, number, _) in enumerate(self._released)]
        order = sorted([*going, *freed], key=lambda one: (one[0], one[1]))
        columns = self._held.settle(
            dict(self._batch.columns), list(self._held_here.items()), [(is_held, at) for _, _, is_held, at in order]
        )
        late = {number: timed_out for _, number, timed_out in self._released}
        live: NDArray[np.bool_] = np.array([is_held or bool(self._batch.live[at]) for _, _, is_held, at in order], np.bool_)
        timed_out: NDArray[np.bool_] = np.array([is_held and late[at] for _, _, is_held, at in order], np.bool_)
        return Result(rows=columns, live=live, columns={TIMED_OUT: timed_out})
