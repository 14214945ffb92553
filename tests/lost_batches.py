"""One process of a gate, step by step, and a resolver that looks what became of its batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from gate_events import NOW_US, SCOPE, raw

from assay.app.gate.admission import Admissible, Examiner
from assay.app.gate.bus_search import BusSearch
from assay.app.gate.group import Group
from assay.app.gate.index import AdmissionIndex, Process
from assay.app.gate.policy import TOPIC_OF_CLASS, shipped_admission_policy
from assay.app.gate.publisher import BusPublisher
from assay.app.gate.reach import logs_of, topics_of_classes
from assay.app.gate.receipts import ReceiptWriter, actor_json
from assay.app.gate.records import RecordFramer
from assay.app.gate.resolving import EVIDENCE_AFTER_S, Resolution, Resolver
from assay.app.gate.resolving_thread import FoundReceipts
from assay.app.gate.standing import Verdict
from assay.app.gate.unsettled import Unsettled
from assay.app.run.directory import Run
from assay.contracts.caller import OF_RUN_KEY
from assay.contracts.topics import topic

POLICY = shipped_admission_policy()
AT = "2026-01-01T00:00:00.000000Z"


class OneProcess:
    """One process of a gate, step by step."""

    def __init__(self, run: Run, number: int = 0) -> None:
        self.run, self.process = run, Process(run.platform_run_id, number)
        self.index = AdmissionIndex(run.sql_of_gate, process=self.process)
        self.publisher = BusPublisher(run.bootstrap, {handle: topic(handle).name(run.namespace) for handle in POLICY.topics.values()})
        self.writer = ReceiptWriter(POLICY, run.config.pins, topics_of_classes(run, POLICY), run.config.digest)

    def claim(self, events: Sequence[dict[str, Any]]) -> Group:
        batch, first = self.index.next_batch(len(events))
        found = [Examiner(POLICY, SCOPE).examine(raw(one), NOW_US, first + at) for at, one in enumerate(events)]
        group = Group(found, batch)
        mine = group.gather({})
        bounds = self.publisher.bounds({TOPIC_OF_CLASS[one.event_class] for one in mine})
        group.weigh(self.index.claim(mine, batch, bounds))
        again = [(ordinal, mine[ordinal]) for ordinal in group.again()]
        group.retaken(self.index.retake(again, batch, bounds) if again else ())
        return group

    def publish(self, group: Group, items: Sequence[int]) -> None:
        for event_class, outgoing in group.outgoing().items():
            some, handle = [i for i in outgoing if i in items], TOPIC_OF_CLASS[event_class]
            rows = [one for i in some if isinstance(one := group.examined[i], Admissible)]
            if rows:
                framer = RecordFramer(self.run.config.pins, self.run.config.run_id)
                records = framer.framed(event_class, rows, self.publisher.partitions(handle))
                self.publisher.publish(handle, records, group.publication, some)
        self.publisher.wait(group.publication)

    def write_receipts(self, group: Group) -> None:
        places = zip(group.examined, group.publication.places, strict=True)
        told = [(one, place) for one, place in places if isinstance(one, Admissible) and place is not None]
        log, _ = logs_of(self.run, self.process.name)
        log.append([self.writer.admitted(one, Verdict.ADMIT, place, AT, actor_json(OF_RUN_KEY))[1] for one, place in told])

    def settle(self, group: Group) -> None:
        self.index.settle(group.batch, group.landed(), group.unknown())

    def die(self) -> None:
        self.publisher.close()
        self.index.close()


class Looking:
    """A resolver of the run, of no process or of one that lives."""

    def __init__(
        self, run: Run, own: OneProcess | None = None, active: Sequence[int] = (), now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.run, index = run, AdmissionIndex(run.sql_of_gate)
        writer = ReceiptWriter(POLICY, run.config.pins, topics_of_classes(run, POLICY), run.config.digest)
        receipts = FoundReceipts(writer, logs_of(run, "resolve")[0], lambda: {"policy_id": "p", "revision": "1"}, lambda: NOW_US)
        bus = BusSearch(run, {handle: event_class for event_class, handle in POLICY.topics.items()})
        unsettled = Unsettled(index, run.platform_run_id, lambda: active)
        own_epoch = (lambda: own.index.epoch) if own else (lambda: 0)
        self.resolver = Resolver(index, run.platform_run_id, unsettled, bus, receipts, own_epoch, now_s)

    def look(self) -> Resolution:
        found = self.resolver.look()
        assert found is not None
        return found


def older(run: Run, seconds: float = EVIDENCE_AFTER_S + 1) -> None:
    """All that was begun was begun so long ago."""
    with psycopg.connect(run.dsn) as connection:
        connection.execute("UPDATE ig_begun SET begun_at = begun_at - make_interval(secs => %s)", (seconds,))
