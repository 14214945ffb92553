"""From the configuration of a run to the machines of its lanes, and from a machine with its ports to a driver."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from assay.agents.assembly import ROWS_MAX, Setup, assemble, input_partitions
from assay.agents.lane import LaneMachine
from assay.agents.plans import Plans
from assay.agents.rule_plan import compile_rules
from assay.agents.rule_scorer import RuleScorer
from assay.agents.specs import LaneSpec
from assay.agents.step import Machine, TopicPartition
from assay.app.bus.finished_batch import SMALL_ROWS
from assay.app.lane.arrivals import UNWATCHED, LaneWatch
from assay.app.lane.driver import LaneDriver
from assay.app.lane.ports import Effector, Journal, Outputs
from assay.app.run.code_digest import code_digest
from assay.app.run.directory import RunConfig
from assay.app.run.failpoints import Failpoints
from assay.app.snapshots.taking import Snapshots
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import topics
from assay.tables.feature_plan import compile_plan

DAY_US = 86_400_000_000


class Ports(NamedTuple):
    """What an assembled lane talks to. The worker gives Kafka and the object store, the simulator gives models of them."""

    journal: Journal
    outputs: Outputs
    wall_us: Callable[[], int]
    failpoints: Failpoints
    effector: Effector | None = None
    watch: LaneWatch = UNWATCHED
    input_ends: Callable[[], Awaitable[Mapping[TopicPartition, int]]] | None = None
    snapshots: Snapshots | None = None
    committed: Callable[[], Awaitable[Mapping[TopicPartition, int]]] | None = None
    small_rows: int = SMALL_ROWS


def partition_counts(override: int | None) -> dict[str, int]:
    """Partitions per topic handle under the override of a wiring."""
    return {handle: topic.partition_count(override) for handle, topic in topics().items()}


def plans_of(config: RunConfig, partitions: Mapping[str, int]) -> Plans:
    """Compile the documents of a run. Raises Stop naming the faulty part of the document."""
    features = compile_plan(config.features)
    rules = compile_rules(config.policy, features)
    return Plans(
        pins=config.pins,
        features=features,
        policy=rules.policy,
        scorer=RuleScorer(rules),
        bundle_id=config.bundle_id,
        bundle_version=config.bundle_version,
        run_config_digest=config.digest,
        horizon_us=config.idempotency_horizon.days * DAY_US,
        horizon_rows=config.idempotency_horizon.rows,
        changelog_interval_us=config.changelog_interval_ms * 1_000,
        partitions=partitions,
        ordering=config.ordering,
    )


def machine_of(
    spec: LaneSpec, config: RunConfig, partitions: Mapping[str, int], rows_max: int = ROWS_MAX, code: bytes | None = None, shard: int = 0
) -> Machine:
    """The machine of a lane of a run, without state. `code` is the digest of the code that runs it, by default of this code."""
    return assemble(spec, Setup(plans_of(config, partitions), partitions, code or code_digest(), rows_max), shard)


def fold_machine_of(
    spec: LaneSpec, config: RunConfig, partitions: Mapping[str, int], rows_max: int = ROWS_MAX, code: bytes | None = None, shard: int = 0
) -> LaneMachine:
    """As `machine_of`, for a lane that folds a journal topic. Raises Stop(JOURNAL_UNREADABLE) for another kind of lane."""
    machine = machine_of(spec, config, partitions, rows_max, code, shard)
    if not isinstance(machine, LaneMachine):
        raise Stop(Reason.JOURNAL_UNREADABLE, f"lane {spec.name} keeps no journal topic", remedy="Name a lane that does.")
    return machine


def drive(spec: LaneSpec, machine: Machine, ports: Ports) -> LaneDriver:
    """The driver of a machine. Raises Stop(EFFECTOR_MISSING) if the lane declares an effector and the ports have none."""
    if (spec.effector is None) != (ports.effector is None):
        raise Stop(
            Reason.EFFECTOR_MISSING,
            f"lane {spec.name} declares effector {spec.effector or 'none'}, the ports have {'none' if ports.effector is None else 'one'}",
            remedy="Give the lane's ports the effector that its LaneSpec names.",
        )
    return LaneDriver(machine, **ports._asdict())


__all__ = ["ROWS_MAX", "Ports", "drive", "fold_machine_of", "input_partitions", "machine_of", "partition_counts", "plans_of"]
