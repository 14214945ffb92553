"""Publishing a few records, each acknowledged: a port, and its Kafka form for the components that are no lane."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaError

from assay.app.bus.errors import not_written
from assay.app.bus.producer import RecordProducer
from assay.codecs.record_headers import has_headers, value_headers
from assay.contracts.topics import topic

#: how long a broker may be away before a record counts as lost
DELIVERY_TIMEOUT_MS = 120_000
#: how long a full queue is waited for before a record is offered again
FULL_POLL_S = 0.1
#: how often a wait for answers looks whether the user is refused
LOOK_EVERY_S = 1.0


class OutboundRecord(NamedTuple):
    """One record for a named partition, with headers beside those that say its type."""

    key: bytes
    value: bytes
    partition: int
    headers: Mapping[str, str] = {}


class Publisher(Protocol):
    """Where records of a topic go."""

    def publish(self, handle: str, records: Sequence[OutboundRecord]) -> None:
        """Returns when every record is acknowledged; raises when any is not."""


class KafkaPublisher:
    """Idempotent, acks=all, in order within each partition. `properties` are further librdkafka properties (TLS, SASL)."""

    def __init__(
        self,
        bootstrap: str,
        namespace: str = "",
        properties: Mapping[str, str] | None = None,
        delivery_timeout_ms: int = DELIVERY_TIMEOUT_MS,
    ) -> None:
        self._namespace, self._timeout_ms = namespace, delivery_timeout_ms
        self._producer = RecordProducer(bootstrap, properties, {"linger.ms": 0, "delivery.timeout.ms": delivery_timeout_ms})

    def publish(self, handle: str, records: Sequence[OutboundRecord]) -> None:
        """As `Publisher.publish`. Raises Stop(PRODUCE_FAILED, BUS_USER_REFUSED) naming the topic and Kafka's error."""
        name = topic(handle).name(self._namespace)
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, message: object) -> None:
            if error is not None:
                failures.append(error)

        for record in records:
            headers = [*((value_headers(record.value) if has_headers(handle) else None) or ()), *record.headers.items()] or None
            while not self._producer.offer(name, record.key, record.value, record.partition, delivered, headers):
                self._producer.poll(FULL_POLL_S)
        unsent = self._flushed(name)
        if failures or unsent:
            refused = self._producer.refusal(name, failures[0] if failures else None)
            if refused:
                raise refused
            cause = str(failures[0]) if failures else f"{unsent} records without an answer"
            raise not_written(cause, name, time_refused=any(error.code() == KafkaError.INVALID_TIMESTAMP for error in failures))

    def _flushed(self, name: str) -> int:
        """Wait for every answer, but not after the broker has refused the user; how many have none."""
        deadline = time.monotonic() + self._timeout_ms / 1_000 + 5
        while (unsent := self._producer.flush(LOOK_EVERY_S)) and time.monotonic() < deadline:
            if self._producer.refusal(name):
                break
        return unsent
