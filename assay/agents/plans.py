"""The compiled policy of a run: everything that the steps of a lane need before the first record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.agents.decision_policy import DecisionPolicy
from assay.agents.row_order import Ordering
from assay.agents.scorer import Scorer
from assay.contracts.pins import Pins
from assay.tables.feature_plan import FeaturePlan


@dataclass(frozen=True)
class Plans:
    """Pins, compiled documents, scorer and bounds of one run. `partitions` counts partitions per topic handle.

    The thresholds of `policy` are in the unit of `scorer`.
    """

    pins: Pins
    features: FeaturePlan
    policy: DecisionPolicy
    scorer: Scorer
    bundle_id: str
    bundle_version: str
    run_config_digest: bytes
    horizon_us: int
    horizon_rows: int
    changelog_interval_us: int
    partitions: Mapping[str, int]
    ordering: Ordering
