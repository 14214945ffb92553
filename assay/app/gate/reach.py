"""What a gate reaches beyond its process: the bus, the index, the disk for its receipts, and what the control topic says of its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from assay.app.gate.control import Control
from assay.app.gate.health import Health
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.policy import AdmissionPolicy
from assay.app.gate.publisher import BusPublisher
from assay.app.gate.receipts import QUARANTINE, RECEIPTS, ReceiptWriter
from assay.app.gate.segments import SegmentLog
from assay.app.gate.spool import spool_of
from assay.app.run.directory import Run
from assay.contracts.topics import topic

PROBE_EVERY_S: Final = 1.0


class Reach(NamedTuple):
    """Nothing of it is connected yet. Each index is one thread's own: who claims, who settles, who probes, who is asked for decisions
    and who looks up. `topics` maps event classes to topic names.
    """

    topics: Mapping[str, str]
    publisher: BusPublisher
    control: Control
    claims: AdmissionIndex
    settled: AdmissionIndex
    probed: AdmissionIndex
    asked: AdmissionIndex
    looked_up: AdmissionIndex
    logs: tuple[SegmentLog, SegmentLog]
    writer: ReceiptWriter
    health: Health


def reach_of(run: Run, policy: AdmissionPolicy, bus_properties: Mapping[str, str] | None = None) -> Reach:
    """The reach of a run's gate under a policy."""
    names = {handle: topic(handle).name(run.namespace) for handle in policy.topics.values()}
    topics = {event_class: names[handle] for event_class, handle in policy.topics.items()}
    publisher, control = BusPublisher(run.bootstrap, names, bus_properties), Control(run, bus_properties)
    claims = AdmissionIndex(run.sql_of_gate, durable=False, guard=run.platform_run_id)
    settled, probed, asked, looked_up = (AdmissionIndex(run.sql_of_gate) for _ in range(4))
    receipts, quarantine = (SegmentLog(run.store, prefix, spool_of(run.directory, prefix)) for prefix in (RECEIPTS, QUARANTINE))
    writer = ReceiptWriter(policy, run.config.pins, topics, run.config.digest)
    health = Health({"bus": publisher.probe, "control": control.probe, "index": probed.ready, "receipts": receipts.probe}, PROBE_EVERY_S)
    return Reach(topics, publisher, control, claims, settled, probed, asked, looked_up, (receipts, quarantine), writer, health)
