"""Faust tables whose rows are the lane's state: Faust keeps names and web routes, and restores nothing.

Faust's recovery folds changelogs and swallows what goes wrong with them. Here the lanes fold their journal, in a task of
the table manager, before the consumer is sought or resumed; an error there ends the worker.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import faust
from faust.app.router import Router
from faust.exceptions import SameNode
from faust.tables import TableManager
from faust.types import TP
from mode import Service
from mode.utils.locks import Event

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class LaneTable(faust.Table):  # type: ignore[type-arg]  # rows are JSON objects by text key
    """A read-only view of one table of a lane, by text key."""

    app: Any  # a LaneApp; Faust declares its own app type

    async def on_start(self) -> None:
        """No store is opened and no changelog topic is declared: both belong to the lane."""

    def __getitem__(self, key: str) -> dict[str, Any]:
        table = self.app.lanes.table(self.name)
        row: dict[str, Any] | None = None if table is None else table.row(key)
        if row is None:
            raise KeyError(key)
        return row

    def __contains__(self, key: object) -> bool:
        try:
            return bool(self[str(key)]) or True
        except KeyError:
            return False

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


class LaneRouter(Router):
    """Every worker answers for the tables of the lanes it owns; nothing is forwarded."""

    async def route_req(self, table_name: str, key: Any, web: Any, request: Any) -> Any:
        raise SameNode


class LaneTables(TableManager):
    """Faust's `TableManager` setting: lanes instead of changelogs."""

    app: Any  # a LaneApp; Faust declares its own app type

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._given = Event()
        self._ready = Event()
        self._assignment: tuple[set[TP], int] = (set(), 0)

    def add(self, table: Any) -> Any:
        """Register a table by name only: with no changelog known there is nothing to subscribe to or to recover."""
        self[table.name] = table
        return table

    async def on_start(self) -> None:
        await self._update_channels()

    async def _update_channels(self) -> None:
        self._tables_finalized.set()
        for table in self.values():
            await table.maybe_start()
        self._tables_registered.set()

    async def on_stop(self) -> None:
        """Stop fetching, then the lanes where they stand."""
        await self.app._fetcher.stop()
        await self.app.lanes.close()
        for table in self.values():
            await table.stop()

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Nothing is buffered here."""

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0) -> None:
        """Called inside the group's rebalance; the long part is done after it, so that heartbeats go on meanwhile."""
        self.app.lanes.keep(self.app.assignor.lanes)
        self.app.lanes.refuse_absent({tp.topic for tp in assigned})
        self.app.assignor.settled(generation_id)
        self._assignment = (assigned, generation_id)
        self._given.set()

    @Service.task
    async def _take_over(self) -> None:
        while not await self.wait_for_stopped(self._given):
            self._given.clear()
            assigned, generation = self._assignment
            await self.app.lanes.own(self.app.assignor.lanes)
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
    async def _watch_lanes(self) -> None:
        await self.app.lanes.failure()

    async def wait_until_recovery_completed(self) -> bool:
        """Wait for the first assignment to be taken over; True when the worker stopped instead."""
        return bool(await self.wait_for_stopped(self._ready))


def _read_only(table: str) -> Stop:
    return Stop(Reason.TABLE_READ_ONLY, f"table {table} is written by its lane only", remedy="Emit a record instead.")
