"""Faust's tables and table managers, put to the use of lanes: Faust keeps names and web pages, and restores nothing.

Faust's recovery folds changelogs and swallows what goes wrong with them. Here the lane folds its journal, in a task of the
table manager, before the consumer is sought or resumed; an error there ends the worker.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from typing import Any

import faust
from faust.tables import TableManager
from faust.types import TP
from mode import Service
from mode.utils.locks import Event

from assay.agents.faust_shell.lanes import LaneMember
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class LaneTable(faust.Table):  # type: ignore[type-arg]  # rows are JSON objects by text key
    """A read-only view of one table by text key. `owners` are the lanes in this process that have it, a shard each."""

    def __init__(self, app: Any, *, owners: Sequence[LaneMember], **options: Any) -> None:
        super().__init__(app, **options)
        self.owners = owners

    async def on_start(self) -> None:
        """No store is opened and no changelog topic is declared: both belong to the lane."""

    @property
    def active(self) -> list[LaneMember]:
        """The owners that are active in this process. The rows of the others are read where those are active."""
        return [owner for owner in self.owners if owner.active]

    async def read(self, key: str) -> dict[str, Any] | None:
        """The row of this key in a lane that is active here, None when there is no such row. Waits for a fold under way."""
        for owner in self.active:
            row = await owner.lane.read(self.name, key)
            if row is not None:
                return row
        return None

    def __getitem__(self, key: str) -> Any:
        """Raises TypeError: a row may be read only between two folds, so a reader has to wait."""
        raise _not_awaited(self.name)

    def __contains__(self, key: object) -> bool:
        """Raises TypeError, as `table[key]` does."""
        raise _not_awaited(self.name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def on_key_set(self, key: Any, value: Any) -> None:
        """Raises Stop(TABLE_READ_ONLY): state changes only by folding the journal."""
        raise _read_only(self.name)

    def on_key_del(self, key: Any) -> None:
        """Raises Stop(TABLE_READ_ONLY)."""
        raise _read_only(self.name)


class NamedTables(TableManager):
    """Faust's `TableManager` setting for the worker's app: the tables by name, for the web pages."""

    def add(self, table: Any) -> Any:
        """Register a table by name only: with no changelog known there is nothing to subscribe to or to recover."""
        self[table.name] = table
        return table


class LaneRecovery(TableManager):
    """Faust's `TableManager` setting for the app of a lane: the lane's journal instead of changelogs."""

    app: Any  # a LaneApp; Faust declares its own app type

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._given = Event()
        self._ready = Event()
        self._assignment: tuple[set[TP], int] = (set(), 0)

    async def on_start(self) -> None:
        await self._update_channels()

    async def _update_channels(self) -> None:
        self._tables_finalized.set()
        self._tables_registered.set()

    async def on_stop(self) -> None:
        """Stop fetching, then the lane where it stands."""
        await self.app._fetcher.stop()
        await self.app.member.close()

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Nothing is buffered here."""

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0) -> None:
        """Called inside the group's rebalance; the long part is done after it, so that heartbeats go on meanwhile."""
        self.app.member.keep(given=self.app.assignor.given)
        self.app.member.refuse_absent({tp.topic for tp in assigned})
        self.app.assignor.settled(generation_id)
        self._assignment = (assigned, generation_id)
        self._given.set()

    @Service.task
    async def _take_over(self) -> None:
        while not await self.wait_for_stopped(self._given):
            self._given.clear()
            assigned, generation = self._assignment
            await self.app.member.own(given=self.app.assignor.given)
            if generation == self.app.consumer_generation_id:
                await self._resume(assigned)

    async def _resume(self, assigned: set[TP]) -> None:
        gc.freeze()  # what recovery built stays; collecting over it again only costs pauses
        await self.app.on_rebalance_complete.send()
        if assigned:
            await self.app.consumer.perform_seek()
            self.app.consumer.resume_partitions(assigned)
        self.app.flow_control.resume()
        self.app.consumer.resume_flow()
        await self.app._fetcher.maybe_start()
        self.on_actives_ready()
        self.on_standbys_ready()
        self.app.on_rebalance_end()
        self._ready.set()

    @Service.task
    async def _watch_lane(self) -> None:
        await self.app.member.failure()

    async def wait_until_recovery_completed(self) -> bool:
        """Wait for the first assignment to be taken over; True when the worker stopped instead."""
        return bool(await self.wait_for_stopped(self._ready))


def _read_only(table: str) -> Stop:
    return Stop(Reason.TABLE_READ_ONLY, f"table {table} is written by its lane only", remedy="Emit a record instead.")


def _not_awaited(table: str) -> TypeError:
    return TypeError(f"a row of table {table} is read with `await table.read(key)`")
