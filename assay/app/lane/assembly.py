"""From a run's policy to running machines: compile the documents, build each lane of the topology."""

from __future__ import annotations

from collections.abc import Mapping

from assay.agents.act import ActIntake
from assay.agents.batch import LaneIdentity, Reader
from assay.agents.intake import Intake
from assay.agents.lane import LaneMachine
from assay.agents.plans import Plans
from assay.agents.rule_plan import compile_rules
from assay.agents.topology import LaneSpec
from assay.app.run.code_digest import code_digest
from assay.app.run.directory import RunConfig
from assay.contracts.topics import topics
from assay.tables.feature_plan import compile_plan

DAY_US = 86_400_000_000
SHARD = 0


def partition_counts(override: int | None) -> dict[str, int]:
    """Partitions per topic handle under a wiring's override."""
    return {handle: topic.partition_count(override) for handle, topic in topics().items()}


def plans_of(config: RunConfig, partitions: Mapping[str, int], spec: LaneSpec) -> Plans:
    """Compile a run's documents for one lane. Raises Stop naming the document's faulty part."""
    features = compile_plan(config.features)
    return Plans(
        pins=config.pins,
        features=features,
        rules=compile_rules(config.policy, features),
        bundle_id=config.bundle_id,
        bundle_version=config.bundle_version,
        run_config_digest=config.digest,
        horizon_us=config.idempotency_horizon.days * DAY_US,
        horizon_rows=config.idempotency_horizon.rows,
        changelog_interval_us=config.changelog_interval_ms * 1_000,
        partitions=partitions,
        input_handles=list(spec.ranks),
    )


def build_lane(
    spec: LaneSpec, config: RunConfig, partitions: Mapping[str, int], rows_max: int = 5_000, code: bytes | None = None
) -> LaneMachine:
    """A lane with a Kafka journal, ready to recover. `code` is the digest of the code that runs it, this one's if not given."""
    plans = plans_of(config, partitions, spec)
    arrival = spec.name != "rtdl"
    reader: Reader = ActIntake(list(spec.ranks), plans.pins) if arrival else _intake(spec, plans)
    return LaneMachine(
        spec.name,
        LaneIdentity(SHARD, code or code_digest(), config.digest),
        spec.ranks,
        partitions,
        "arrival" if arrival else config.ordering,
        reader,
        lambda: [step.make(plans) for step in spec.steps],
        rows_max,
    )


def _intake(spec: LaneSpec, plans: Plans) -> Intake:
    return Intake(list(spec.ranks), spec.accepts, plans.pins, plans.features.entities)
