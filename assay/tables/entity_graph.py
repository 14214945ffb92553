"""The entity graph: which ids of which entity were seen, from when to when and how often. It owns ids, slots and eviction.

Payments (kind 4) and context facts (kind 3) are events of the ids they name. The graph gives every id a slot, a small number under
which later steps keep their own state of the id. The clock of the graph is the latest event time folded; ids that no event named for
longer than `idle_us` of that clock are forgotten.

`fold` never frees a slot, and `evict` runs before the rows of a journal record. So all rows of a record see the same owner of a slot,
and where the input is split into records changes no decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, Column, Columns, Strings, concat
from assay.codecs.kernel import frozen
from assay.codecs.table_state import TableState
from assay.contracts.limits import AMOUNT_MINOR_END
from assay.tables.entities import EntityTable
from assay.tables.entity_view import EntityView
from assay.tables.feature_plan import FeaturePlan
from assay.tables.row_kinds import CONTEXT, PAYMENT

_NEVER = -(2**62)


class GraphBatch(NamedTuple):
    """`slots` has one int32 (n,) per entity, -1 where the row names no id. `refused` bool (n,): the amount is out of range."""

    slots: tuple[I32, ...]
    refused: NDArray[np.bool_]


class Evictions(NamedTuple):
    """`forgotten`: entity int16 and id of ids forgotten since the last call. `evicted`: entity int16 and slot int32 of freed slots."""

    forgotten: Columns
    evicted: Columns


class EntityGraph:
    """Ids and graph rows of every entity of a plan."""

    def __init__(self, plan: FeaturePlan) -> None:
        self._plan = plan
        self.entities = tuple(EntityTable(name, plan.idle_us) for name in plan.entities)
        self._clock = _NEVER

    def fold(self, columns: Mapping[str, Column], live: NDArray[np.bool_], sequence: int) -> GraphBatch:
        """Fold the live rows of journal record `sequence` in order; needs the columns kind, ts_us, amount_minor, seen.ordinal, entity.*.

        A payment with an amount outside [0, AMOUNT_MINOR_END) is refused here, before it changes any table.
        """
        kinds, amounts = np.asarray(columns["kind"]), np.asarray(columns["amount_minor"])
        payments = live & (kinds == PAYMENT)
        refused = payments & ((amounts < 0) | (amounts >= AMOUNT_MINOR_END))
        facts = (payments & ~refused) | (live & (kinds == CONTEXT))
        times = frozen(np.asarray(columns["ts_us"]), np.int64)
        clocks = np.maximum(np.maximum.accumulate(np.where(facts, times, _NEVER)), self._clock)
        self._clock = int(clocks[-1]) if len(clocks) else self._clock
        ordinals = np.asarray(columns["seen.ordinal"])
        slots = tuple(ids.fold(_strings(columns[f"entity.{ids.name}"]), facts, ordinals, times, clocks, sequence) for ids in self.entities)
        return GraphBatch(slots, refused)

    def evict(self, of: Sequence[int]) -> Evictions:
        """Name the forgotten ids of these entities (numbers) and free slots that are due; see `EntityTable.evict`.

        Whoever keeps state under a freed slot has to clear it before the next `fold`, which may give the slot to another id.
        """
        if not of:
            return NOTHING_EVICTED
        forgotten = [_numbered(e, id=self.entities[e].ids(self.entities[e].tell()).compact()) for e in of]
        evicted = [_numbered(e, slot=self.entities[e].evict().astype(np.int32)) for e in of]
        return Evictions(*(concat([*parts, none]) for parts, none in zip((forgotten, evicted), NOTHING_EVICTED, strict=True)))

    def view(self) -> EntityView:
        """The read-only view for others."""
        return EntityView(self.entities)

    def state(self) -> TableState:
        """The whole state: views of the tables' memory, so to be read before the next `fold` or `evict`."""
        arrays = {f"{ids.name}.{name}": array for ids in self.entities for name, array in ids.state().items()}
        return TableState({"table": "entities", "plan": self._plan.digest.hex(), "clock": self._clock}, arrays)

    @classmethod
    def from_state(cls, plan: FeaturePlan, state: TableState) -> EntityGraph:
        """The inverse of `state`. Raises Stop(STATE_UNREADABLE) or, when another plan wrote it, Stop(STATE_OF_ANOTHER_PLAN)."""
        plan.check_state(state)
        graph = cls(plan)
        graph.entities = tuple(EntityTable.from_state(name, plan.idle_us, state.under(f"{name}.")) for name in plan.entities)
        graph._clock = int(np.int64(state.header["clock"]))
        return graph


def _numbered(entity: int, **columns: Column) -> Columns:
    (column,) = columns.values()
    n = len(column.lengths) if isinstance(column, Strings) else len(np.asarray(column))
    return {"entity": np.full(n, entity, np.int16), **columns}


NOTHING_EVICTED: Final = Evictions(_numbered(0, id=Strings.nulls(0)), _numbered(0, slot=np.empty(0, np.int32)))


def _strings(column: Any) -> Strings:
    assert isinstance(column, Strings)
    return column
