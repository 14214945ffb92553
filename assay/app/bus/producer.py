"""An idempotent producer with acks=all, outside of lanes: records are handed over one by one, and each has a delivery report."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from assay.app.bus.client import librdkafka_settings
from assay.app.bus.denials import Denials
from assay.app.bus.errors import not_written, unreachable
from assay.contracts.errors import Stop

#: (error or None, record with its partition and offset)
Delivered = Callable[[KafkaError | None, Message], None]
#: headers of a record in their order
Headers = list[tuple[str, str | bytes | None]]


class RecordProducer:
    """For one thread. `options` are librdkafka's names and win over `properties` (TLS, SASL).

    A fatal error ends an idempotent producer: it has lost its sequence. `failed` says so, and `replace` makes a new one.
    """

    def __init__(self, bootstrap: str, properties: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None) -> None:
        self.bootstrap = bootstrap
        self._denials = Denials(properties)
        own = {"acks": "all", "enable.idempotence": True, "error_cb": self._noticed, **(options or {})}
        self._settings = librdkafka_settings(bootstrap, properties, own)
        self._fatal = threading.Event()
        self._producer = Producer(self._settings)

    def offer(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int,
        delivered: Delivered | None = None,
        headers: Headers | None = None,
    ) -> bool:
        """Hand over one record; False when the queue is full: call `poll` and offer it again. Does not wait.

        Raises Stop(PRODUCE_FAILED) when the client refuses the record.
        """
        try:
            self._producer.produce(topic, value, key, partition, on_delivery=delivered, headers=headers)
        except BufferError:
            return False
        except KafkaException as error:
            raise not_written(str(error), topic) from None
        return True

    def poll(self, wait_s: float) -> None:
        """Serve delivery reports; wait for one up to so long. A fatal error is no error here: `failed` tells it."""
        with suppress(KafkaException):
            self._producer.poll(wait_s)

    def flush(self, wait_s: float) -> int:
        """Wait until every record has its report; how many have none when the time is up.

        Raises Stop(PRODUCE_FAILED) after a fatal error.
        """
        try:
            return int(self._producer.flush(wait_s))
        except KafkaException as error:
            raise not_written(error.args[0].str(), self.bootstrap) from None

    def partitions(self, timeout_s: float) -> dict[str, int]:
        """Partitions of every topic, by its real name. Raises Retry(BROKER_UNREACHABLE), Stop(BUS_USER_REFUSED)."""
        try:
            answered = self._producer.list_topics(timeout=timeout_s).topics
        except KafkaException as error:
            raise self.refusal(self.bootstrap, error.args[0]) or unreachable(error.args[0].str(), self.bootstrap) from None
        self._denials.forget()
        return {name: len(found.partitions) for name, found in answered.items()}

    def refusal(self, where: str, error: KafkaError | None = None) -> Stop | None:
        """The refusal of this client's user, where an error is one, or where Kafka told of one beside errors."""
        self.poll(0)
        return self._denials.refusal(where, error)

    @property
    def failed(self) -> bool:
        """Whether a fatal error ended the producer."""
        return self._fatal.is_set()

    def replace(self) -> None:
        """Go on with a new producer."""
        self._fatal.clear()
        self._producer = Producer(self._settings)

    def _noticed(self, error: KafkaError) -> None:
        self._denials.notice(error)
        if error.fatal():
            self._fatal.set()
