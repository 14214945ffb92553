"""The gate's one way to Kafka: an idempotent producer with acks=all."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from assay.agents.components import INGESTION_GATE, LABEL_STORE
from assay.agents.specs import ComponentSpec
from assay.app.bus.offsets import log_bounds
from assay.app.bus.producer import RecordProducer
from assay.app.gate.publication import Publication
from assay.app.gate.records import BusRecords
from assay.app.gate.standing import RecordMetadata
from assay.codecs.record_headers import has_headers, headers_of
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.reasons import Reason

#: the producer gives a record up after this long, so a waiting call is answered before its client gives up
DELIVERY_TIMEOUT_MS, REQUEST_TIMEOUT_MS = 8_000, 5_000
WAIT_S = 12.0
_PROBE_S = 2.0
#: the components whose records this process writes
WRITERS: Final = (INGESTION_GATE, LABEL_STORE)
_PRODUCER = {
    "batch.num.messages": 10_000,
    "batch.size": 1 << 20,
    "queue.buffering.max.messages": 1_000_000,
    "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
    "request.timeout.ms": REQUEST_TIMEOUT_MS,
    "reconnect.backoff.max.ms": 1_000,
    # a group is offered at once: waiting for company would cost a single payment 2 ms, and save a large group 1 µs an event
    "linger.ms": 0,
}


def check_declared(handle: str, record: str, writers: Sequence[ComponentSpec] = WRITERS) -> None:
    """Raises Stop(PRODUCER_UNLISTED) for a record that the writer of this topic does not declare in the topology."""
    writer = next((component for component in writers if handle in component.produces), writers[0])
    writer.check_produces(handle, record)


class BusPublisher:
    """Produces from one thread, waits in one other. `names` maps topic handles to names on this broker;
    `properties` are further librdkafka properties (TLS, SASL)."""

    def __init__(self, bootstrap: str, names: Mapping[str, str], properties: Mapping[str, str] | None = None) -> None:
        self.names = dict(names)
        self._bootstrap, self._properties = bootstrap, properties
        self._partitions: dict[str, int] = {}
        self._reached: dict[str, list[int]] = {}
        self._producer = RecordProducer(bootstrap, properties, _PRODUCER)

    def partitions(self, handle: str) -> int:
        """How many partitions a topic has, asked once. Raises Retry(BUS_UNAVAILABLE)."""
        if handle not in self._partitions:
            self.probe()
        if handle not in self._partitions:
            raise Retry(
                Reason.BUS_UNAVAILABLE, f"topic {self.names[handle]} is not on the broker", remedy="Create the topics: assay topic create."
            )
        return self._partitions[handle]

    def probe(self) -> None:
        """Ask the broker for the gate's topics. Raises Retry(BUS_UNAVAILABLE)."""
        try:
            found = self._producer.partitions(_PROBE_S)
        except AssayError as away:
            raise Retry(
                Reason.BUS_UNAVAILABLE,
                away.what,
                where=away.where,
                remedy=away.remedy
                if isinstance(away, Stop)
                else "The gate resumes by itself when the broker is back; send the same call again.",
            ) from None
        counts = {handle: found[name] for handle, name in self.names.items() if name in found}
        self._partitions = {handle: count for handle, count in counts.items() if count}

    def bounds(self, handles: Collection[str]) -> str:
        """From where on records may lie that are published now: JSON of topic handle → offset by partition. See `reached`.

        Raises Retry(BUS_UNAVAILABLE).
        """
        for handle in handles:
            if handle not in self._reached:
                ends = self._ends(handle)
                self._reached[handle] = [ends.get(partition, 0) for partition in range(max(ends, default=-1) + 1)]
        return json.dumps({handle: self._reached[handle] for handle in sorted(handles)}, separators=(",", ":"))

    def reached(self, handle: str, places: Iterable[RecordMetadata | None]) -> None:
        """These places of a publication, in its order, are acknowledged: what is published from now on lies behind them."""
        reached = self._reached[handle]
        for place in places:
            if place is not None and place.partition < len(reached):
                reached[place.partition] = max(reached[place.partition], place.offset + 1)

    def _ends(self, handle: str) -> dict[int, int]:
        try:
            return {partition: end for partition, (_, end) in log_bounds(self._bootstrap, self.names[handle], self._properties).items()}
        except AssayError as away:
            raise Retry(Reason.BUS_UNAVAILABLE, away.what, where=away.where, remedy=away.remedy) from None

    def publish(self, handle: str, records: BusRecords, publication: Publication, ordinals: Sequence[int]) -> None:
        """Hand records to the producer; record i of them is the publication's `ordinals[i]`. Does not wait.

        Raises Stop(PRODUCER_UNLISTED) before the first record.
        """
        check_declared(handle, records.record)
        offer, topic, delivered = self._producer.offer, self.names[handle], publication.delivered
        headers = headers_of(records.record) if has_headers(handle) else None
        rows = zip(records.keys, records.values, records.partitions, ordinals, strict=True)
        for key, value, partition, ordinal in rows:
            try:
                accepted = offer(topic, key, value, partition, partial(delivered, ordinal), headers)
            except Stop:  # refused: it is certainly not on the bus
                accepted = False
            publication.pending += accepted
            publication.refused += not accepted

    def wait(self, publication: Publication) -> list[RecordMetadata | None]:
        """Serve delivery reports until all of a publication's are in or the time is up; its places."""
        deadline = time.monotonic() + WAIT_S
        while publication.pending > 0 and time.monotonic() < deadline:
            self._producer.poll(0.05)
        publication.end()
        if self._producer.failed:
            self._producer.replace()
        return publication.places

    def close(self) -> None:
        """Wait for what is still on its way."""
        self._producer.flush(WAIT_S)
