"""The lanes of a worker, wired: machine, journal, outputs and effector of each, from a run on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from assay.agents.lane import LaneMachine
from assay.agents.specs import JournalSegments, JournalTopic, LaneSpec
from assay.agents.step import LaneId
from assay.agents.topology import TOPOLOGY
from assay.app.bus.incarnation import committed_of_same_incarnation
from assay.app.bus.kafka_journal import KafkaJournal
from assay.app.bus.kafka_outputs import KafkaOutputs
from assay.app.bus.offsets import end_offsets
from assay.app.effects.recorder import Recorder
from assay.app.effects.webhook import Webhook
from assay.app.lane.assembly import Ports, drive, machine_of, partition_counts
from assay.app.lane.driver import LaneDriver
from assay.app.lane.metrics import BatchMetrics
from assay.app.lane.ports import Effector, Journal
from assay.app.run.directory import Run
from assay.app.run.failpoints import Failpoints
from assay.app.snapshots.store import SnapshotStore
from assay.app.snapshots.taking import NEVER, SnapshotPace, Snapshots
from assay.app.stores.segment_journal import SegmentJournal
from assay.contracts.consumer_groups import group_of
from assay.contracts.topics import topic


class WiredLane(NamedTuple):
    """One shard of a lane, its consumer group, its input topics (real name → handle) and the names of its tables."""

    id: LaneId
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
    return [
        _wire(spec, LaneId(spec.name, shard), run, failpoints, dict(properties or {}), webhook_url, pace)
        for spec in TOPOLOGY.of_packs(packs)
        for shard in range(spec.shards)
    ]


def effector_of(run: Run, webhook_url: str) -> Effector:
    """What acts: the webhook where one is named, else a log of the run."""
    return Webhook(webhook_url) if webhook_url else Recorder(run.actions)


#: by the name that a LaneSpec gives its effector
EFFECTORS: Mapping[str, Callable[[Run, str], Effector]] = {"actions": effector_of}


def _wire(
    spec: LaneSpec, lane: LaneId, run: Run, failpoints: Failpoints, properties: dict[str, str], webhook_url: str, pace: SnapshotPace
) -> WiredLane:
    topics = {topic(handle).name(run.namespace): handle for handle in spec.inputs}
    group = group_of(run.namespace, run.platform_run_id, spec.group, lane.shard)
    machine = machine_of(spec, run.config, partition_counts(run.partitions), shard=lane.shard)
    journal, snapshots = _journal(spec, run, properties, lane.shard), None
    if isinstance(machine, LaneMachine) and isinstance(journal, KafkaJournal):
        snapshots = Snapshots(machine, snapshot_store(run, machine), journal, pace, time.monotonic, failpoints)
    ports = Ports(
        journal=journal,
        outputs=KafkaOutputs(run.bootstrap, {handle: topic(handle).name(run.namespace) for handle in spec.written_topics()}, properties),
        wall_us=wall_us,
        failpoints=failpoints,
        effector=EFFECTORS[spec.effector](run, webhook_url) if spec.effector else None,
        watch=BatchMetrics(lane, spec.dead_letter),
        input_ends=partial(end_offsets, run.bootstrap, topics, properties),
        snapshots=snapshots,
        committed=partial(committed_of_same_incarnation, run, properties, group, topics, _journal_handle(spec)),
    )
    return WiredLane(lane, group, topics, spec.tables, drive(spec, machine, ports))


def _journal(spec: LaneSpec, run: Run, properties: Mapping[str, str], shard: int) -> Journal:
    match spec.journal:
        case JournalTopic(handle):
            return KafkaJournal(run.bootstrap, topic(handle).name(run.namespace), shard, properties)
        case JournalSegments():
            return SegmentJournal(run.store)


def _journal_handle(spec: LaneSpec) -> str | None:
    return spec.journal.handle if isinstance(spec.journal, JournalTopic) else None


def snapshot_store(run: Run, lane: LaneMachine) -> SnapshotStore:
    """Where the snapshots of a run's lane are."""
    return SnapshotStore(run.store, lane.identity.lane)


def wall_us() -> int:
    """Wall clock in microseconds since the epoch."""
    return time.time_ns() // 1_000
