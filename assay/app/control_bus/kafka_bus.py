"""The control bus on Kafka: the topic that the lanes read. A payload is an Avro record there; the rest of the wrapper is headers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from assay.agents.components import SCENARIO_RUNNER
from assay.app.bus.publisher import KafkaPublisher, OutboundRecord, Publisher
from assay.app.bus.record_view import plain
from assay.app.bus.topic_reader import TopicRecord, read_records
from assay.app.control_bus.avro_payload import record_of
from assay.app.control_bus.port import BEGIN, ControlMessage, FirstOnes, Published, refuse_unplain
from assay.codecs.single_object import pack, unpack
from assay.contracts import instants
from assay.contracts.errors import Quarantine
from assay.contracts.handles import CONTROL
from assay.contracts.topics import topic

MESSAGE_ID: Final = "message_id"
ATTRIBUTES: Final = "attributes"
PUBLISHED_AT: Final = "published_at_utc"
PARTITION_KEY: Final = "partition_key"

#: records of the control topic from an offset on, as far as there are any now
ReadControl = Callable[[int], Iterator[TopicRecord]]


def control_record(message: ControlMessage, published_at_us: int) -> OutboundRecord:
    """A message as the record that lanes and readers of the topic take.

    Raises Stop(VALUE_NOT_CANONICAL, PRODUCER_UNLISTED, SCHEMA_UNKNOWN) for a message that is none of the topic.
    """
    refuse_unplain(message)
    name, record = record_of(message.payload)
    SCENARIO_RUNNER.check_produces(CONTROL, name)
    place = topic(CONTROL)
    headers = {
        MESSAGE_ID: message.message_id,
        ATTRIBUTES: json.dumps(dict(message.attributes), separators=(",", ":")),
        PUBLISHED_AT: instants.text(published_at_us),
        PARTITION_KEY: message.partition_key,
    }
    partition = place.partition(name, record, place.partition_count())
    return OutboundRecord(place.key(name, record), pack(name, record), partition, headers)


class KafkaControlBus:
    """Readers take the first record of a message's id, by offset. Marks are no messages. A position is an offset."""

    def __init__(self, publisher: Publisher, read_control: ReadControl, name: str, now_us: Callable[[], int]) -> None:
        self._publisher, self._read_control, self._name, self._now_us = publisher, read_control, name, now_us
        self._next, self._seen, self._reading = 0, FirstOnes(), threading.Lock()

    def publish(self, message: ControlMessage) -> None:
        """As `ControlBus.publish`. Raises Stop(PRODUCER_UNLISTED, SCHEMA_UNKNOWN) for a payload that is no record of the topic,
        Stop(PRODUCE_FAILED, BUS_USER_REFUSED).
        """
        self._publisher.publish(CONTROL, [control_record(message, self._now_us())])

    def read(self, position: str = BEGIN) -> Iterator[Published]:
        """As `ControlBus.read`. Raises Retry(BROKER_UNREACHABLE), Stop(TOPIC_UNKNOWN, BUS_USER_REFUSED)."""
        with self._reading:
            for record in self._read_control(self._next):
                self._next = record.offset + 1
                found = self._message_of(record)
                if found is not None:
                    self._seen.take(found)
        return self._seen.behind(position)

    def _message_of(self, record: TopicRecord) -> Published | None:
        """The message of a record; of one from a writer without headers, what the record itself says."""
        try:
            name, value = unpack(record.value or b"")
        except Quarantine:
            return None
        if name == "mark":
            return None
        told = {header: (value or b"").decode() for header, value in record.headers}
        key = told.get(PARTITION_KEY) or (record.key or b"").decode(errors="backslashreplace")
        message = ControlMessage(
            told.get(MESSAGE_ID) or str(value["event_id"]), key, plain(value), json.loads(told.get(ATTRIBUTES) or "{}")
        )
        at_us = instants.parse(told[PUBLISHED_AT]) if PUBLISHED_AT in told else record.wall_ms * 1_000
        return Published(str(record.offset), self._name, at_us, message)


def kafka_control_bus(bootstrap: str, namespace: str, properties: Mapping[str, Any] | None, now_us: Callable[[], int]) -> KafkaControlBus:
    """The control bus of a run's namespace. `properties` are librdkafka's (TLS, SASL)."""
    read = partial(read_records, bootstrap, CONTROL, namespace, properties)
    publisher = KafkaPublisher(bootstrap, namespace, properties)
    return KafkaControlBus(publisher, lambda first: read(first=first), topic(CONTROL).name(namespace), now_us)
