"""The tables of the decision lane behind one another, as its steps fold them, and the comparison with the pure-Python fold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from feature_worlds import LaneRow, lane_columns
from numpy.typing import NDArray
from oracles.windows_reference import Fact, Label, Payment, ReferenceFeatures, Row
from states import read_back, written

from assay.codecs.columns import I64, Columns, Strings, settled_columns
from assay.contracts.reasons import Reason
from assay.tables.dedupe import NEW, SeenIds
from assay.tables.entity_graph import EntityGraph, Evictions
from assay.tables.entity_view import EntityView
from assay.tables.feature_plan import FeaturePlan
from assay.tables.features import REFUSALS, FeatureTable
from assay.tables.row_kinds import CONTEXT, LABEL

HORIZON = 10**15, 10**6


class FoldedRows(NamedTuple):
    """The result of a fold: one row per input row. `refusals` holds what the graph or the features refuse."""

    verdicts: NDArray[np.int8]
    subjects: I64
    longs: I64
    doubles: NDArray[np.float64]
    refusals: list[Reason | None]


class LaneTables:
    """Seen ids, entity graph and features of a lane. `sequence` numbers the folds, as journal records do, unless it is given."""

    def __init__(self, plan: FeaturePlan, horizon: tuple[int, int] = HORIZON) -> None:
        self.plan = plan
        self.seen, self.graph, self.features = SeenIds(*horizon), EntityGraph(plan), FeatureTable(plan)
        self.sequence = self.offset = 0

    def fold(self, rows: Sequence[LaneRow], *, skip: bool = False, nameless: bool = False, sequence: int | None = None) -> FoldedRows:
        """Fold rows as one journal record; with `nameless`, none of them has an event id."""
        number = self.sequence if sequence is None else sequence
        columns = lane_columns(rows, self.plan.entities, self.offset)
        columns |= settled_columns({"event_id": Strings.nulls(len(rows))}) if nameless else {}
        self.sequence, self.offset = number + 1, self.offset + len(rows)
        seen = self.seen.fold(columns)
        columns |= settled_columns({"seen.ordinal": seen.ordinals, "seen.subject": seen.subjects, "seen.oldest": seen.oldest})
        live = np.full(len(rows), not skip) & (seen.verdicts == NEW)
        graph = self.graph.fold(columns, live, number)
        columns |= settled_columns({f"slot.{name}": slots for name, slots in zip(self.plan.entities, graph.slots, strict=True)})
        out = self.features.fold(columns, live & ~graph.refused, self.graph.view(), number)
        refusals = [Reason.AMOUNT_OUT_OF_RANGE if bad else REFUSALS[n] for bad, n in zip(graph.refused, out.refusals, strict=True)]
        return FoldedRows(seen.verdicts, seen.subjects, out.longs, out.doubles, refusals)

    def evict(self) -> Evictions:
        """What the graph's step does before the rows of a record when it is the turn of all entities."""
        evictions = self.graph.evict(range(len(self.plan.entities)))
        self.features.evict(evictions.evicted)
        return evictions

    def written(self) -> dict[str, bytes]:
        """The bytes of the state of graph and features."""
        return {"entities": written(self.graph), "features": written(self.features)}

    def restored(self) -> LaneTables:
        """Other tables that were restored from the state of these."""
        other = LaneTables(self.plan)
        other.seen = SeenIds.from_state(read_back(self.seen))
        other.graph = EntityGraph.from_state(self.plan, read_back(self.graph))
        other.features = FeatureTable.from_state(self.plan, other.graph.view(), read_back(self.features))
        other.sequence, other.offset = self.sequence, self.offset
        return other

    def changed_features(self, entity: int, sequence: int) -> Columns:
        """Feature rows of known ids that changed since, with their entity and id."""
        entities, features = self.graph.view(), self.features.view()
        slots = features.changed_since(entity, sequence)
        slots = slots[entities.known(entity, slots)]
        return {**named(entities, entity, slots), **features.rows(entity, slots)}


def named(entities: EntityView, entity: int, slots: NDArray[np.integer]) -> Columns:
    """The columns `key` and `id` of slots."""
    keys = entities.keys(entity, slots)
    return {"key": keys, "id": entities.ids(entity, keys)}


class Folded(NamedTuple):
    """Tables after the fold of many batches, and the result of all rows."""

    tables: LaneTables
    rows: FoldedRows


def fold_in_batches(
    plan: FeaturePlan, rows: Sequence[LaneRow], cuts: Sequence[int], horizon: tuple[int, int] = HORIZON, *, evict: bool = False
) -> Folded:
    """Fold the rows, cut into batches at these positions; with `evict`, slots of forgotten ids are freed before each batch.

    All batches count as journal record 0: row versions are no part of the comparison.
    """
    tables = LaneTables(plan, horizon)
    out: list[FoldedRows] = []
    for start, stop in pairwise([0, *sorted({cut for cut in cuts if 0 < cut < len(rows)}), len(rows)]):
        if evict:
            tables.evict()
        out.append(tables.fold(rows[start:stop], sequence=0))
    verdicts, subjects, longs, doubles = (np.concatenate([np.asarray(part[column]) for part in out]) for column in range(4))
    return Folded(tables, FoldedRows(verdicts, subjects, longs, doubles, [reason for part in out for reason in part.refusals]))


def values_of(plan: FeaturePlan, batch: FoldedRows, row: int) -> dict[str, int | float]:
    """Feature values of one row by name."""
    longs = dict(zip(plan.long_names, batch.longs[row].tolist(), strict=True))
    return longs | dict(zip(plan.double_names, batch.doubles[row].tolist(), strict=True))


def assert_equals_reference(plan: FeaturePlan, rows: Sequence[LaneRow], folded: Folded) -> None:
    """Compare every row with the pure-Python fold, value by value and refusal by refusal."""
    reference = ReferenceFeatures(plan.document)
    met: set[tuple[int, str]] = set()
    zeros = dict.fromkeys(plan.long_names, 0) | dict.fromkeys(plan.double_names, 0.0)
    for i, row in enumerate(rows):
        fresh = (row.kind, row.event_id) not in met
        met.add((row.kind, row.event_id))
        answer = reference.fold(_reference_row(row)) if fresh else None
        refusal = folded.rows.refusals[i]
        assert (refusal and refusal.value) == (answer if isinstance(answer, str) else None), (i, row)
        expected = answer if isinstance(answer, dict) else zeros
        assert values_of(plan, folded.rows, i) == expected, (i, row)


def _reference_row(row: LaneRow) -> Row:
    if row.kind == LABEL:
        return Label(str(row.subject), row.label == 1)
    if row.kind == CONTEXT:
        return Fact(row.ts_us, dict(row.entities))
    return Payment(row.event_id, row.ts_us, row.amount_minor, dict(row.entities))
