"""What a gate reaches beyond its process: the bus, the index, the disk for its receipts, and what the control topic says of its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from assay.app.gate.control import Control
from assay.app.gate.health import Health
from assay.app.gate.index import AdmissionIndex, Process
from assay.app.gate.policy import AdmissionPolicy
from assay.app.gate.publisher import BusPublisher
from assay.app.gate.receipts import QUARANTINE, RECEIPTS, ReceiptWriter
from assay.app.gate.segment_names import SegmentNames
from assay.app.gate.segments import SegmentLog
from assay.app.gate.spool import log_of, spool_of
from assay.app.run.directory import Run
from assay.contracts.topics import topic

PROBE_EVERY_S: Final = 1.0


class Reach(NamedTuple):
    """Nothing of it is connected yet. Each index is one thread's own: who claims, who settles, who probes, who is asked for decisions,
    who looks up, who resolves and who forgets. `topics` maps event classes to topic names, `process` is this one of the gate's.
    """

    process: Process
    topics: Mapping[str, str]
    publisher: BusPublisher
    control: Control
    claims: AdmissionIndex
    settled: AdmissionIndex
    probed: AdmissionIndex
    asked: AdmissionIndex
    looked_up: AdmissionIndex
    resolved: AdmissionIndex
    forgets: AdmissionIndex
    names: SegmentNames
    logs: tuple[SegmentLog, SegmentLog]
    writer: ReceiptWriter
    health: Health


def reach_of(
    run: Run, policy: AdmissionPolicy, bus_properties: Mapping[str, str] | None = None, claims: AdmissionIndex | None = None
) -> Reach:
    """The reach of one process of a run's gate under a policy. `claims` is its index, that of the only process by default."""
    process = claims.process if claims and claims.process else Process(run.platform_run_id)
    claims = claims or AdmissionIndex(run.sql_of_gate, process=process)
    names = {handle: topic(handle).name(run.namespace) for handle in policy.topics.values()}
    topics = topics_of_classes(run, policy)
    publisher, control = BusPublisher(run.bootstrap, names, bus_properties), Control(run, bus_properties)
    settled, probed, asked, looked_up, resolved, forgets = (AdmissionIndex(run.sql_of_gate) for _ in range(6))
    segment_names = SegmentNames(AdmissionIndex(run.sql_of_gate), run, log_of(RECEIPTS, process.name))
    receipts, quarantine = logs_of(run, process.name, segment_names)
    writer = ReceiptWriter(policy, run.config.pins, topics, run.config.digest)
    health = Health({"bus": publisher.probe, "control": control.probe, "index": probed.ready, "receipts": receipts.probe}, PROBE_EVERY_S)
    logs = receipts, quarantine
    return Reach(
        process,
        topics,
        publisher,
        control,
        claims,
        settled,
        probed,
        asked,
        looked_up,
        resolved,
        forgets,
        segment_names,
        logs,
        writer,
        health,
    )


def topics_of_classes(run: Run, policy: AdmissionPolicy) -> dict[str, str]:
    """Event class → name of its topic on the broker."""
    return {event_class: topic(handle).name(run.namespace) for event_class, handle in policy.topics.items()}


def logs_of(run: Run, process: str, names: SegmentNames | None = None) -> tuple[SegmentLog, SegmentLog]:
    """Receipts and refused items of the process with this name. `names` is told which segments of receipts are sealed."""
    receipts, quarantine = (log_of(prefix, process) for prefix in (RECEIPTS, QUARANTINE))
    return (
        SegmentLog(run.store, receipts, spool_of(run.directory, receipts), sealed=names.sealed if names else None),
        SegmentLog(run.store, quarantine, spool_of(run.directory, quarantine)),
    )
