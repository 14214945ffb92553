"""Online features as a step: windows of the keys in a payment, each row seeing the rows before it. It owns the table `features`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.agents.batch import Batch, Result, Rows, Step, Views
from assay.agents.plans import Plans
from assay.codecs.columns import Columns
from assay.codecs.table_state import TableState
from assay.contracts.reasons import Reason
from assay.tables.entity_view import EntityView
from assay.tables.feature_view import FeatureView
from assay.tables.features import REFUSALS, FeatureTable

READS = ("kind", "ts_us", "amount_minor", "label", "slot.*", "seen.ordinal", "seen.subject", "seen.oldest")
WRITES = ("features.longs", "features.doubles")
FRAMES_READ = ("evicted",)

_DETAILS: Mapping[Reason | None, str] = {
    Reason.LABEL_SUBJECT_UNKNOWN: "no folded payment has this event id; the label changed nothing",
    Reason.WINDOW_OVERFLOW: "a window cannot hold the sum; the payment changed no window and is not decided; the entity graph counts it",
}


class FeatureStep(Step):
    """Clears the windows of evicted slots, then folds payments and labels; writes the feature values of payments."""

    def __init__(self, plans: Plans, views: Views) -> None:
        self._plan = plans.features
        self._entities = views["entities"]
        self._table = FeatureTable(plans.features)

    def handle(self, batch: Batch) -> Result:
        self._table.evict(batch.frames["evicted"])
        if not batch.rows:
            return Result()
        longs, doubles, refusals = self._table.fold(batch.columns, batch.live, self._entities(), batch.context.sequence)
        columns: Columns = {"features.longs": longs, "features.doubles": doubles}
        refused = refusals.nonzero()[0]
        if not len(refused):
            return Result(columns)
        live = batch.live.copy()
        live[refused] = False
        reasons = [REFUSALS[number] for number in refusals[refused].tolist()]
        return Result(
            columns, live=live, refused=[(row, why, _DETAILS[why]) for row, why in zip(refused.tolist(), reasons, strict=True) if why]
        )

    def tables(self) -> Mapping[str, Rows]:
        return {"features": _People(self._table.view(), self._entities())}

    def view(self, table: str) -> Any:
        return {"features": self._table.view()}[table]

    def state(self) -> TableState:
        return self._table.state()

    def restore(self, state: TableState) -> None:
        self._table = FeatureTable.from_state(self._plan, self._entities(), state)


class _People:
    """The windows by `entity:id`."""

    def __init__(self, features: FeatureView, entities: EntityView) -> None:
        self._features = features
        self._entities = entities

    def row(self, key: str) -> dict[str, Any] | None:
        """One row, None if the key is unknown."""
        entity, _, entity_id = key.partition(":")
        return self._features.row(self._entities, entity, entity_id)
