"""Projections: changed rows of the features and of the entity graph, coalesced, for compacted changelog topics.

They are derived read models: recovery never reads them. The step only reads the tables, through views. It remembers for every entity
the journal sequence through which rows went out, and asks for the rows that changed since. A row goes out at most once per interval,
however often it changed; once the lane is idle the last changes go out with its note. The entities take turns within the interval
(`round_robin`), so that no decision waits for the rows of all.

The row of a forgotten id is taken back by a tombstone. An id that is known again and has a row of its own needs none: its newer row
takes the place of the older one on the compacted topic, and a tombstone behind that row would delete it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from assay.agents.batch import Batch, Context, Result, Step, Views
from assay.agents.plans import Plans
from assay.agents.round_robin import RoundRobin
from assay.agents.step import Emission
from assay.codecs.avro_bind import Constant
from assay.codecs.columns import Columns, Strings, concat, rows, take
from assay.codecs.partitioner import partitions_of
from assay.codecs.single_object import encoder_of
from assay.codecs.table_state import TableState, state_refused
from assay.contracts.handles import CHANGELOG_ENTITIES, CHANGELOG_FEATURES
from assay.tables.entity_view import EntityView
from assay.tables.feature_view import FeatureView

FRAMES_READ = ("forgotten",)


class ProjectionStep(Step):
    """State: whose turn is next, and per entity the sequence of the journal record through which its rows went out."""

    def __init__(self, plans: Plans, views: Views) -> None:
        self._entities, self._features = views["entities"], views["features"]
        self._names = [name.encode() for name in plans.features.entities]
        self._partitions = plans.partitions
        self._encoders = {CHANGELOG_FEATURES: encoder_of("feature_row"), CHANGELOG_ENTITIES: encoder_of("entity_row")}
        self._turns = RoundRobin(len(plans.features.entities), plans.changelog_interval_us)
        self._flushed_through = [-1] * len(plans.features.entities)

    def handle(self, batch: Batch) -> Result:
        turn, forgotten = self._turns.due(batch.context.wall_us), batch.frames["forgotten"]
        if not turn and not rows(forgotten):
            return Result()
        entities, features = self._entities(), self._features()
        feature_rows = [self._changed_features(entities, features, e, batch.context) for e in turn]
        entity_rows = [self._changed_entities(entities, e, batch.context) for e in turn]
        for e in turn:
            self._flushed_through[e] = batch.context.sequence
        with_features, with_entity = _with_rows(forgotten, entities, features)
        return Result(
            emissions=[
                self._emission(CHANGELOG_FEATURES, self._keys(forgotten, ~with_features), feature_rows),
                self._emission(CHANGELOG_ENTITIES, self._keys(forgotten, ~with_entity), entity_rows),
            ]
        )

    def _changed_features(self, entities: EntityView, features: FeatureView, entity: int, context: Context) -> Columns:
        """Feature rows of known ids that changed since the last turn, in slot order, as keys and values."""
        slots = features.changed_since(entity, self._flushed_through[entity])
        slots = slots[entities.known(entity, slots)]
        return self._written(CHANGELOG_FEATURES, entities, entity, slots, features.rows(entity, slots), context)

    def _changed_entities(self, entities: EntityView, entity: int, context: Context) -> Columns:
        """Graph rows of known ids that changed since the last turn, in slot order, as keys and values."""
        slots = entities.changed_since(entity, self._flushed_through[entity])
        return self._written(CHANGELOG_ENTITIES, entities, entity, slots, entities.rows(entity, slots), context)

    def _written(
        self, handle: str, entities: EntityView, entity: int, slots: NDArray[np.intp], columns: Columns, context: Context
    ) -> Columns:
        keys = entities.keys(entity, slots)
        of_batch: Mapping[str, Constant] = {"entity": self._names[entity], "epoch": context.epoch, "sequence": context.sequence}
        return {"key": keys, "value": self._encoders[handle].encode({**columns, "id": entities.ids(entity, keys)}, of_batch)}

    def _keys(self, forgotten: Columns, wanted: NDArray[np.bool_]) -> Strings:
        chosen = take(forgotten, np.flatnonzero(wanted))
        numbers, ids = np.asarray(chosen["entity"]).tolist(), cast(Strings, chosen["id"]).tolist()
        return Strings.of([self._names[e] + b":" + (known or b"") for e, known in zip(numbers, ids, strict=True)])

    def _emission(self, handle: str, tombstones: Strings, parts: Sequence[Columns]) -> Emission:
        """Tombstones, then changed rows."""
        out: list[Columns] = [{"key": tombstones, "value": Strings.nulls(len(tombstones.lengths))}, *parts]
        both = concat([part for part in out if rows(part)] or out[:1])
        keys, values = cast(Strings, both["key"]), cast(Strings, both["value"])
        return Emission(handle, partitions_of(keys, self._partitions[handle]), keys, values)

    def state(self) -> TableState:
        return TableState({"turns": self._turns.as_json(), "flushed_through": list(self._flushed_through)})

    def restore(self, state: TableState) -> None:
        through = [int(sequence) for sequence in state.header["flushed_through"]]
        if len(through) != len(self._flushed_through):
            raise state_refused(f"has flushed the rows of {len(through)} entities, this lane has {len(self._flushed_through)}")
        self._turns.restore(state.header["turns"])
        self._flushed_through = through


def _with_rows(forgotten: Columns, entities: EntityView, features: FeatureView) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the forgotten ids are known again and have a feature row, and which an entity row."""
    numbers = np.asarray(forgotten["entity"])
    with_features, with_entity = np.zeros(len(numbers), np.bool_), np.zeros(len(numbers), np.bool_)
    for e in np.unique(numbers).tolist():
        of = np.flatnonzero(numbers == e)
        slots = entities.find(e, cast(Strings, forgotten["id"]).take(of))
        with_features[of], with_entity[of] = features.has_rows(e, slots), slots >= 0
    return with_features, with_entity
