"""Online features: windows and entity graph of the keys in a payment, each row seeing the rows before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.agents.batch import Batch, Result, Rows, Step, Views
from assay.agents.plans import Plans
from assay.codecs.table_state import TableState
from assay.tables.dedupe import SeenBatch
from assay.tables.features import REFUSALS, FeatureTable

READS = ("kind", "ts_us", "amount_minor", "label", "entity.*", "seen.verdict", "seen.ordinal", "seen.subject", "seen.oldest")
WRITES = ("features.longs", "features.doubles")


class FeatureStep(Step):
    """Folds payments, labels and context facts; writes the feature values of payments."""

    def __init__(self, plans: Plans, views: Views) -> None:
        self._plan = plans.features
        self._table = FeatureTable(plans.features)

    def handle(self, batch: Batch) -> Result:
        columns, live = batch.columns, batch.live.copy()
        features = self._table.fold(columns, ~batch.live, _seen(batch))
        refused = np.flatnonzero(features.refusals).tolist()
        live[refused] = False
        reasons = [REFUSALS[int(features.refusals[row])] for row in refused]
        return Result(
            columns={"features.longs": features.longs, "features.doubles": features.doubles},
            live=live,
            refused=[(row, why, "it changed no feature and is not decided") for row, why in zip(refused, reasons, strict=True) if why],
        )

    def tables(self) -> Mapping[str, Rows]:
        return {"features": _Rows(self._table), "entities": _Rows(self._table)}

    def view(self, table: str) -> Any:
        return {"features": self._table, "entities": self._table}[table]

    def state(self) -> TableState:
        return self._table.state()

    def restore(self, state: TableState) -> None:
        self._table = FeatureTable.from_state(self._plan, state)


def _seen(batch: Batch) -> SeenBatch:
    verdicts, ordinals, subjects, oldest = (np.asarray(batch.columns[name]) for name in READS[-4:])
    floor = int(oldest[-1]) if len(oldest) else 0
    return SeenBatch(verdicts, ordinals, subjects, floor, int(ordinals.max(initial=-1)) + 1)


class _Rows:
    """A view of the table by `entity:id`."""

    def __init__(self, table: FeatureTable) -> None:
        self._table = table

    def row(self, key: str) -> dict[str, Any] | None:
        """One row, None if the key is unknown."""
        entity, _, entity_id = key.partition(":")
        return self._table.row(entity, entity_id)
