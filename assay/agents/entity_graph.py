"""The entity graph as a step: ids become slots, and slots of forgotten ids are freed. It owns the table `entities`.

Frames: `forgotten` has the columns entity (int16, number of the entity) and id (text): the changelog rows of these ids are to be taken
back. `evicted` has entity (int16) and slot (int32): freed slots. A later step that keeps state under a slot clears it in the same
journal record, before it folds the rows of the record, because these rows may name other ids under the same slots.

The entities take turns (`round_robin`): each is looked at once per changelog interval of journal wall time, so recovery repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.agents.batch import Batch, Result, Rows, Step, Views
from assay.agents.plans import Plans
from assay.agents.round_robin import RoundRobin
from assay.codecs.columns import Columns
from assay.codecs.table_state import TableState
from assay.contracts.limits import AMOUNT_MINOR_END
from assay.contracts.reasons import Reason
from assay.tables.entity_graph import EntityGraph
from assay.tables.entity_view import EntityView

READS = ("kind", "ts_us", "amount_minor", "entity.*", "seen.ordinal")
WRITES = ("slot.*",)
FRAMES = ("forgotten", "evicted")
_OUT_OF_RANGE = f"an amount is at least 0 and less than {AMOUNT_MINOR_END} minor units; the payment changed nothing and is not decided"


class EntityGraphStep(Step):
    """Folds payments and context facts into the graph; writes the slot of every id.

    A payment with an amount out of range is refused here, so that it changes neither the graph nor a later table.
    """

    def __init__(self, plans: Plans, views: Views) -> None:
        self._plan = plans.features
        self._writes = [f"slot.{name}" for name in plans.features.entities]
        self._graph = EntityGraph(plans.features)
        self._turns = RoundRobin(len(plans.features.entities), plans.changelog_interval_us)

    def handle(self, batch: Batch) -> Result:
        forgotten, evicted = self._graph.evict(self._turns.due(batch.context.wall_us))
        frames = {"forgotten": forgotten, "evicted": evicted}
        if not batch.rows:
            return Result(frames=frames)
        slots, refusals = self._graph.fold(batch.columns, batch.live, batch.context.sequence)
        columns: Columns = dict(zip(self._writes, slots, strict=True))
        refused = refusals.nonzero()[0].tolist()
        if not refused:
            return Result(columns, frames=frames)
        rows = [(row, Reason.AMOUNT_OUT_OF_RANGE, _OUT_OF_RANGE) for row in refused]
        return Result(columns, live=batch.live & ~refusals, refused=rows, frames=frames)

    def tables(self) -> Mapping[str, Rows]:
        return {"entities": _People(self._graph.view())}

    def view(self, table: str) -> Any:
        return {"entities": self._graph.view()}[table]

    def state(self) -> TableState:
        graph = self._graph.state()
        return TableState({**graph.header, "turns": self._turns.as_json()}, graph.arrays)

    def restore(self, state: TableState) -> None:
        self._graph = EntityGraph.from_state(self._plan, state)
        self._turns.restore(state.header["turns"])


class _People:
    """The graph by `entity:id`."""

    def __init__(self, entities: EntityView) -> None:
        self._entities = entities

    def row(self, key: str) -> dict[str, Any] | None:
        """One row, None if the key is unknown."""
        entity, _, entity_id = key.partition(":")
        return self._entities.row(entity, entity_id)
