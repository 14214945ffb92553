"""Online features: windows and entity graph of the keys in a payment, each row seeing the rows before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.agents.batch import Batch
from assay.agents.plans import Plans
from assay.agents.step import Emission
from assay.codecs.columns import rows
from assay.codecs.table_state import TableState
from assay.tables.features import REFUSALS, FeatureTable


class FeatureStep:
    """Reads `results["seen"]`, leaves `results["features"]` and, for the projection step, `results["feature_table"]`."""

    name = "online_features"
    takes_no_rows = True

    def __init__(self, plans: Plans) -> None:
        self._plan = plans.features
        self._table = FeatureTable(plans.features)

    @property
    def tables(self) -> Mapping[str, Any]:
        """Rows for the web view, by `entity:id`."""
        return {"features": _Rows(self._table), "entities": _Rows(self._table)}

    def handle(self, batch: Batch) -> Sequence[Emission]:
        batch.results["feature_table"] = self._table
        if not rows(batch.columns):
            return ()
        features = self._table.fold(batch.columns, ~batch.live, batch.results["seen"])
        for row in np.flatnonzero(features.refusals).tolist():
            reason = REFUSALS[int(features.refusals[row])]
            assert reason is not None
            batch.live[row] = False
            batch.refused.append((row, reason, "it changed no feature and is not decided"))
        batch.results["features"] = features
        return ()

    def state(self) -> TableState:
        return self._table.state()

    def restore(self, state: TableState) -> None:
        self._table = FeatureTable.from_state(self._plan, state)


class _Rows:
    """A view of the table by `entity:id`."""

    def __init__(self, table: FeatureTable) -> None:
        self._table = table

    def row(self, key: str) -> dict[str, Any] | None:
        """One row, None if the key is unknown."""
        entity, _, entity_id = key.partition(":")
        return self._table.row(entity, entity_id)
