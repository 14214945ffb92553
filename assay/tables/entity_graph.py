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

from assay.codecs.columns import I32, I64, Column, Columns, Strings, concat
from assay.codecs.kernel import kernel
from assay.codecs.table_state import TableState
from assay.contracts.limits import AMOUNT_MINOR_END
from assay.tables.entities import EntityTable
from assay.tables.entity_view import EntityView
from assay.tables.feature_plan import FeaturePlan
from assay.tables.growth import grown
from assay.tables.row_kinds import CONTEXT, PAYMENT

_NEVER = -(2**62)
_FIRST_ROWS = 64


class GraphBatch(NamedTuple):
    """`slots` has one int32 (n,) per entity, -1 where the row names no id. `refused` bool (n,): the amount is out of range."""

    slots: tuple[I32, ...]
    refused: NDArray[np.bool_]


class Evictions(NamedTuple):
    """`forgotten`: entity int16 and id of ids forgotten since the last call. `evicted`: entity int16 and slot int32 of freed slots."""

    forgotten: Columns
    evicted: Columns


@kernel
def _look(
    kinds: NDArray[np.int8],
    live: NDArray[np.bool_],
    times: I64,
    amounts: I64,
    clock: int,
    facts: NDArray[np.bool_],
    clocks: I64,
    refused: NDArray[np.bool_],
) -> int:
    """Say of every row whether it is refused, whether it is a fact, and the clock at it, which starts at `clock`; the last clock."""
    for i in range(len(kinds)):
        payment = live[i] and kinds[i] == PAYMENT
        refused[i] = payment and (amounts[i] < 0 or amounts[i] >= AMOUNT_MINOR_END)
        facts[i] = (payment and not refused[i]) or (live[i] and kinds[i] == CONTEXT)
        if facts[i]:
            clock = max(clock, int(times[i]))
        clocks[i] = clock
    return clock


class EntityGraph:
    """Ids and graph rows of every entity of a plan."""

    def __init__(self, plan: FeaturePlan) -> None:
        self._plan = plan
        self._clock = _NEVER
        self._facts, self._clocks = np.empty(_FIRST_ROWS, np.bool_), np.empty(_FIRST_ROWS, np.int64)
        self._hold(tuple(EntityTable(name, plan.idle_us) for name in plan.entities))

    def _hold(self, entities: tuple[EntityTable, ...]) -> None:
        self.entities, self._view = entities, EntityView(entities)
        self._by_column = [(f"entity.{ids.name}", ids) for ids in entities]

    def fold(self, columns: Mapping[str, Any], live: NDArray[np.bool_], sequence: int) -> GraphBatch:
        """Fold the live rows of journal record `sequence` in order; needs the columns kind, ts_us, amount_minor, seen.ordinal, entity.*.

        A payment with an amount outside [0, AMOUNT_MINOR_END) is refused here, before it changes any table.
        """
        n, times, ordinals = len(live), columns["ts_us"], columns["seen.ordinal"]
        if n > len(self._facts):
            self._facts, self._clocks = grown(self._facts, n), grown(self._clocks, n)
        facts, clocks, refused = self._facts, self._clocks, np.empty(n, np.bool_)
        self._clock = _look(columns["kind"], live, times, columns["amount_minor"], self._clock, facts, clocks, refused)
        slots = tuple([ids.fold(columns[name], facts, ordinals, times, clocks, sequence) for name, ids in self._by_column])
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
        return self._view

    def state(self) -> TableState:
        """The whole state: views of the tables' memory, so to be read before the next `fold` or `evict`."""
        arrays = {f"{ids.name}.{name}": array for ids in self.entities for name, array in ids.state().items()}
        return TableState({"table": "entities", "plan": self._plan.digest.hex(), "clock": self._clock}, arrays)

    @classmethod
    def from_state(cls, plan: FeaturePlan, state: TableState) -> EntityGraph:
        """The inverse of `state`. Raises Stop(STATE_UNREADABLE) or, when another plan wrote it, Stop(STATE_OF_ANOTHER_PLAN)."""
        plan.check_state(state)
        graph = cls(plan)
        graph._hold(tuple(EntityTable.from_state(name, plan.idle_us, state.under(f"{name}.")) for name in plan.entities))
        graph._clock = int(np.int64(state.header["clock"]))
        return graph


def _numbered(entity: int, **columns: Column) -> Columns:
    (column,) = columns.values()
    n = len(column.lengths) if isinstance(column, Strings) else len(np.asarray(column))
    return {"entity": np.full(n, entity, np.int16), **columns}


NOTHING_EVICTED: Final = Evictions(_numbered(0, id=Strings.nulls(0)), _numbered(0, slot=np.empty(0, np.int32)))
