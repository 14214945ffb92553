"""What a run's policy compiles to: everything a lane's steps need to know before the first record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.agents.merge import Ordering
from assay.agents.rule_plan import RulePlan
from assay.contracts.pins import Pins
from assay.tables.feature_plan import FeaturePlan


@dataclass(frozen=True)
class Plans:
    """Pins, compiled documents and bounds of one run. `partitions` counts partitions per topic handle."""

    pins: Pins
    features: FeaturePlan
    rules: RulePlan
    bundle_id: str
    bundle_version: str
    run_config_digest: bytes
    horizon_us: int
    horizon_rows: int
    changelog_interval_us: int
    partitions: Mapping[str, int]
    ordering: Ordering
