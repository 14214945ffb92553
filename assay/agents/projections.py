"""Projections: changed rows of the feature table and the entity graph, coalesced, for compacted changelog topics.

They are derived read models: recovery never reads them. A row goes out at most once per interval, however often it
changed, and once the lane is idle the last changes go out with its note. The entities take turns within the interval, so
that no decision waits for the rows of all. The row of an id that was forgotten is taken back. The interval is counted in
the wall time of journal records, so a recovering worker repeats the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from assay.agents.batch import Batch, Result, Step, Views
from assay.agents.plans import Plans
from assay.agents.step import Emission
from assay.codecs.avro_encode import encode
from assay.codecs.columns import Columns, Strings, concat, join, rows
from assay.codecs.partitioner import partitions_of
from assay.codecs.single_object import frame, plan_of
from assay.codecs.table_state import TableState
from assay.contracts.handles import CHANGELOG_ENTITIES, CHANGELOG_FEATURES


class ProjectionStep(Step):
    """State: up to when rows went out, in wall time, and which entity's turn is next."""

    def __init__(self, plans: Plans, views: Views) -> None:
        self._features = views["features"]
        self._interval_us = plans.changelog_interval_us
        self._partitions = plans.partitions
        self._entities = len(plans.features.entities)
        self._flushed_us = self._next = 0

    def handle(self, batch: Batch) -> Result:
        context = batch.context
        turn = self._turn(context.wall_us)
        if not turn:
            return Result()
        table, stamp = self._features(), {"epoch": context.epoch, "sequence": context.sequence}
        dead = _keys(table.take_dead(turn))
        return Result(
            emissions=[
                self._emission(CHANGELOG_FEATURES, "feature_row", table.changed_features(turn), stamp, dead),
                self._emission(CHANGELOG_ENTITIES, "entity_row", table.changed_entities(turn), stamp, dead),
            ]
        )

    def _turn(self, wall_us: int) -> Sequence[int]:
        """The entities whose rows go out now: each has its part of the interval."""
        passed_us = wall_us - self._flushed_us
        if 0 <= passed_us < self._interval_us:
            due = passed_us * self._entities // self._interval_us
            self._flushed_us += due * self._interval_us // self._entities
        else:  # a clock that was set back must not hold rows until it has caught up
            due, self._flushed_us = self._entities, wall_us
        turn = [(self._next + i) % self._entities for i in range(due)]
        self._next = (self._next + due) % self._entities
        return sorted(turn)

    def _emission(self, handle: str, name: str, columns: Columns, stamp: Mapping[str, int], dead: Strings) -> Emission:
        """Tombstones, then rows: an id may have been forgotten and be known again."""
        stamped = columns | {field: np.broadcast_to(np.int64(value), rows(columns)) for field, value in stamp.items()}
        keys, values = _keys(columns), frame(name, encode(plan_of(name), stamped))
        if len(dead.lengths):
            both = concat([{"key": dead, "value": Strings.nulls(len(dead.lengths))}, {"key": keys, "value": values}])
            keys, values = cast(Strings, both["key"]), cast(Strings, both["value"])
        return Emission(handle, partitions_of(keys, self._partitions[handle]), keys, values)

    def state(self) -> TableState:
        return TableState({"flushed_us": self._flushed_us, "next": self._next})

    def restore(self, state: TableState) -> None:
        self._flushed_us, self._next = int(state.header["flushed_us"]), int(state.header["next"])


def _keys(columns: Columns) -> Strings:
    entity, ids = columns["entity"], columns["id"]
    assert isinstance(entity, Strings)
    assert isinstance(ids, Strings)
    return join([entity, Strings.repeat(b":", rows(columns)), ids])
