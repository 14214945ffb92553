"""Projections: changed rows of the feature table and the entity graph, coalesced, for compacted changelog topics.

They are derived read models: recovery never reads them. A row goes out at most once per interval, however often it
changed, and once the lane is idle the last changes go out with its note. The interval is counted in the wall time of
journal records, so a recovering worker repeats the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.agents.batch import Batch
from assay.agents.plans import Plans
from assay.agents.step import Emission
from assay.codecs.avro_encode import encode
from assay.codecs.columns import Columns, Strings, join, rows
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
        table = batch.results["feature_table"]
        return [
            self._emission(handle, name, {
                **columns,
                "epoch": np.broadcast_to(np.int64(context.epoch), rows(columns)),
                "sequence": np.broadcast_to(np.int64(context.sequence), rows(columns)),
            })
            for handle, name, columns in (
                (FEATURES, "feature_row", table.changed_features()),
                (ENTITIES, "entity_row", table.changed_entities()),
            )
        ]  # fmt: skip

    def _emission(self, handle: str, name: str, columns: Columns) -> Emission:
        entity, ids = columns["entity"], columns["id"]
        assert isinstance(entity, Strings)
        assert isinstance(ids, Strings)
        keys = join([entity, Strings.repeat(b":", rows(columns)), ids])
        values = frame(name, encode(plan_of(name), columns))
        return Emission(handle, partitions_of(keys, self._partitions[handle]), keys, values)

    def state(self) -> State:
        return State({"flushed_us": self._flushed_us})

    def restore(self, state: State) -> None:
        self._flushed_us = int(state.header["flushed_us"])
