"""What a producer cannot take is said at once, before any broker is asked."""

from __future__ import annotations

import pytest

from assay.app.bus.producer import RecordProducer
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: nobody listens there, so nothing leaves the queue
NOWHERE = "127.0.0.1:1"


def test_a_full_queue_takes_no_record_and_loses_none() -> None:
    producer = RecordProducer(NOWHERE, options={"queue.buffering.max.messages": 2})
    assert [producer.offer("topic", None, b"%d" % n, 0) for n in range(3)] == [True, True, False]
    assert producer.flush(0.1) == 2


def test_a_record_that_the_client_refuses_stops_the_command() -> None:
    producer = RecordProducer(NOWHERE, options={"message.max.bytes": 1_000})
    with pytest.raises(Stop) as refused:
        producer.offer("topic", None, bytes(2_000), 0)
    assert (refused.value.reason, refused.value.where) == (Reason.PRODUCE_FAILED, "topic")
    assert producer.flush(0.1) == 0


def test_a_producer_that_lost_its_sequence_is_replaced_by_one_that_works() -> None:
    """Only an idempotent producer has such errors; the library's own test call makes one."""
    producer = RecordProducer(NOWHERE, options={"queue.buffering.max.messages": 1})
    assert producer.offer("topic", None, b"x", 0)
    assert not producer.failed
    first = producer._producer
    producer.replace()
    assert producer._producer is not first
    assert producer.offer("topic", None, b"x", 0)
