"""Publishing a few records and being sure of each: a port, and its Kafka form for the parts outside a lane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

#: how long a broker may be away before a record counts as lost
DELIVERY_TIMEOUT_MS = 120_000


class OutboundRecord(NamedTuple):
    """One record for a named partition."""

    key: bytes
    value: bytes
    partition: int


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
        self.config: dict[str, Any] = {
            **(properties or {}),
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 0,
            "delivery.timeout.ms": delivery_timeout_ms,
            "log_level": 2,
        }
        self._producer = Producer(self.config)

    def publish(self, handle: str, records: Sequence[OutboundRecord]) -> None:
        """As `Publisher.publish`. Raises Stop(PRODUCE_FAILED) naming the topic and Kafka's error."""
        name = topic(handle).name(self._namespace)
        failures: list[KafkaError] = []
        delivered = _collector(failures)
        for record in records:
            self._send(name, record, delivered)
        unsent = self._producer.flush(self._timeout_ms / 1_000 + 5)
        if failures or unsent:
            raise _failed(name, str(failures[0]) if failures else f"{unsent} records without an answer")

    def _send(self, name: str, record: OutboundRecord, delivered: Callable[[KafkaError | None, Message], None]) -> None:
        while True:
            try:
                self._producer.produce(name, record.value, record.key, record.partition, on_delivery=delivered)
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise _failed(name, str(error)) from None
            else:
                return


def _collector(failures: list[KafkaError]) -> Callable[[KafkaError | None, Any], None]:
    def delivered(error: KafkaError | None, message: Any) -> None:
        if error is not None:
            failures.append(error)

    return delivered


def _failed(name: str, cause: str) -> Stop:
    remedy = "See that the broker runs and the topic exists, then run the same command again; ids make repeats harmless."
    return Stop(Reason.PRODUCE_FAILED, f"records are not known to be written: {cause}", where=name, remedy=remedy)
