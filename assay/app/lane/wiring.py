"""The lanes of a worker, wired: machine, journal, outputs and effector of each, from a run on disk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from assay.agents.audit import AuditMachine
from assay.agents.lane import LaneMachine
from assay.agents.step import Machine
from assay.agents.topology import TOPOLOGY, LaneSpec
from assay.app.bus.incarnation import committed_of_same_incarnation
from assay.app.bus.lane_io import KafkaJournal, KafkaOutputs, end_offsets
from assay.app.bus.properties import aiokafka_arguments
from assay.app.effects.recorder import Recorder
from assay.app.effects.webhook import Webhook
from assay.app.lane.assembly import SHARD, build_lane, partition_counts
from assay.app.lane.driver import LaneDriver
from assay.app.lane.failpoints import Failpoints
from assay.app.lane.metrics import BatchMetrics
from assay.app.lane.ports import Effector, Journal
from assay.app.run.directory import Run
from assay.app.snapshots.manifest import LaneId
from assay.app.snapshots.store import SnapshotStore
from assay.app.snapshots.taking import NEVER, SnapshotPace, Snapshots
from assay.app.stores.segment_journal import SegmentJournal
from assay.contracts.consumer_groups import group_of
from assay.contracts.topics import topic


class WiredLane(NamedTuple):
    """One shard of a lane, its consumer group, its input topics (real name → handle) and the names of its tables."""

    name: str
    shard: int
    group: str
    topics: dict[str, str]
    tables: tuple[str, ...]
    driver: LaneDriver


def wire(
    run: Run,
    packs: Sequence[str],
    failpoints: Failpoints,
    properties: Mapping[str, str] | None = None,
    webhook_url: str = "",
    pace: SnapshotPace = NEVER,
) -> list[WiredLane]:
    """Every lane of the chosen packs, not yet started. `properties` are librdkafka's (TLS, SASL).

    `pace` says when a standby takes snapshots; every lane starts from those that are there.
    """
    return [_wire(spec, run, failpoints, dict(properties or {}), webhook_url, pace) for spec in TOPOLOGY.of_packs(packs)]


def effector_of(run: Run, webhook_url: str) -> Effector:
    """What acts: the webhook where one is named, else a log of the run."""
    return Webhook(webhook_url) if webhook_url else Recorder(run.store_root / "actions" / "recorded.log")


def _wire(spec: LaneSpec, run: Run, failpoints: Failpoints, properties: dict[str, str], webhook_url: str, pace: SnapshotPace) -> WiredLane:
    client = aiokafka_arguments(properties)
    partitions = partition_counts(run.partitions)
    produced = {handle for component, verb, handle in TOPOLOGY.edges() if verb == "produces"}
    outputs = KafkaOutputs(run.bootstrap, {handle: topic(handle).name(run.namespace) for handle in produced}, client)
    effector = effector_of(run, webhook_url) if spec.name == "act" else None
    topics = {topic(handle).name(run.namespace): handle for handle in spec.ranks}
    group = group_of(run.namespace, run.platform_run_id, spec.name, SHARD)
    machine, journal, snapshots = _machine(spec, run, partitions), _journal(spec, run, client), None
    if isinstance(machine, LaneMachine) and isinstance(journal, KafkaJournal):
        snapshots = Snapshots(machine, snapshot_store(run, machine), journal, pace, time.monotonic, failpoints)
    driver = LaneDriver(
        machine,
        journal,
        outputs,
        wall_us,
        failpoints,
        effector,
        BatchMetrics(spec.name, SHARD),
        partial(end_offsets, {**client, "bootstrap_servers": run.bootstrap}, topics),
        snapshots=snapshots,
        committed=partial(committed_of_same_incarnation, run, properties, group, topics, spec.journal),
    )
    return WiredLane(spec.name, SHARD, group, topics, tuple(name for step in spec.steps for name in step.tables), driver)


def _machine(spec: LaneSpec, run: Run, partitions: dict[str, int]) -> Machine:
    if spec.journal is None:
        places = [(handle, p) for handle in spec.ranks for p in range(partitions[handle])]
        return AuditMachine(run.config.pins, places, partitions["FP_BUS_AUDIT_V1"], run.config.idempotency_horizon.rows)
    return build_lane(spec, run.config, partitions)


def _journal(spec: LaneSpec, run: Run, client: Mapping[str, Any]) -> Journal:
    if spec.journal is None:
        return SegmentJournal(run.store)
    return KafkaJournal(run.bootstrap, topic(spec.journal).name(run.namespace), SHARD, client)


def snapshot_store(run: Run, lane: LaneMachine) -> SnapshotStore:
    """Where the snapshots of a run's lane are."""
    return SnapshotStore(run.store, LaneId(lane.name, lane.identity.shard))


def wall_us() -> int:
    """Wall clock in microseconds since the epoch."""
    return time.time_ns() // 1_000
