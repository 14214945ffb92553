"""Projections: changed rows of the feature table and the entity graph, coalesced, for compacted changelog topics.

They are derived read models: recovery never reads them. A row goes out at most once per interval, however often it
changed, and once the lane is idle the last changes go out with its note. The row of an id that was forgotten is taken
back. The interval is counted in the wall time of journal records, so a recovering worker repeats the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from assay.agents.batch import Batch
from assay.agents.plans import Plans
from assay.agents.step import Emission
from assay.codecs.avro_encode import encode
from assay.codecs.columns import Columns, Strings, concat, join, rows
from assay.codecs.partitioner import partitions_of
from assay.codecs.single_object import frame, plan_of
from assay.tables.state_bytes import State

FEATURES, ENTITIES = "FP_CHANGELOG_FEATURES_V1", "FP_CHANGELOG_ENTITIES_V1"


class ProjectionStep:
    """State: the wall time of the last flush."""

    name = "projections"
    takes_no_rows = True

    def __init__(self, plans: Plans) -> None:
        self._interval_us = plans.changelog_interval_us
        self._partitions = plans.partitions
        self._flushed_us = 0

    def handle(self, batch: Batch) -> Sequence[Emission]:
        context = batch.context
        if 0 <= context.wall_us - self._flushed_us < self._interval_us:
            return ()  # a clock that was set back must not hold rows until it has caught up
        self._flushed_us = context.wall_us
        table, stamp = batch.results["feature_table"], {"epoch": context.epoch, "sequence": context.sequence}
        dead = _keys(table.take_dead())
        return [
            self._emission(FEATURES, "feature_row", table.changed_features(), stamp, dead),
            self._emission(ENTITIES, "entity_row", table.changed_entities(), stamp, dead),
        ]

    def _emission(self, handle: str, name: str, columns: Columns, stamp: Mapping[str, int], dead: Strings) -> Emission:
        """Tombstones, then rows: an id may have been forgotten and be known again."""
        stamped = columns | {field: np.broadcast_to(np.int64(value), rows(columns)) for field, value in stamp.items()}
        keys, values = _keys(columns), frame(name, encode(plan_of(name), stamped))
        if len(dead.lengths):
            both = concat([{"key": dead, "value": Strings.nulls(len(dead.lengths))}, {"key": keys, "value": values}])
            keys, values = cast(Strings, both["key"]), cast(Strings, both["value"])
        return Emission(handle, partitions_of(keys, self._partitions[handle]), keys, values)

    def state(self) -> State:
        return State({"flushed_us": self._flushed_us})

    def restore(self, state: State) -> None:
        self._flushed_us = int(state.header["flushed_us"])


def _keys(columns: Columns) -> Strings:
    entity, ids = columns["entity"], columns["id"]
    assert isinstance(entity, Strings)
    assert isinstance(ids, Strings)
    return join([entity, Strings.repeat(b":", rows(columns)), ids])
