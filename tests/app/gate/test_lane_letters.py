"""A payment that a lane set aside is found by its id, and each letter on the bus is read once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from records import label, payment

from assay.app.bus.admin import Bounds
from assay.app.bus.topic_reader import TopicRecord
from assay.app.gate.lane_letters import EVERY_S, LaneLetters
from assay.codecs.quarantine import quarantine_value
from assay.contracts.handles import LABELS, TRAFFIC
from assay.contracts.reasons import Reason

LATE = Reason.LATE_BEYOND_WATERMARK


class Topic:
    """Letters in memory; `read` counts the records given out. `begins` is the first that is still there."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []
        self.begins, self.read = 0, 0

    def bounds(self) -> Bounds:
        return {0: (self.begins, len(self.values))}

    def records(self, bounds: Bounds | None = None) -> Iterator[TopicRecord]:
        first, end = (bounds or self.bounds())[0]
        for offset in range(first, end):
            self.read += 1
            yield TopicRecord(0, offset, None, self.values[offset])

    def set_aside(self, *records: bytes, handle: str = TRAFFIC) -> None:
        for raw in records:
            self.values.append(quarantine_value(handle, 2, 7, LATE, f"letter {len(self.values)}", 5, raw))


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def topic() -> Topic:
    return Topic()


def test_a_letter_tells_the_reason_and_the_place_of_the_payment_and_is_read_once(topic: Topic) -> None:
    clock = Clock()
    letters = LaneLetters(topic, clock)
    topic.set_aside(payment("p1", 1), payment("é", 1))
    assert letters.of("p2") is None
    found = letters.of("é")
    assert found is not None
    assert (found.reason, found.detail, found.place) == (LATE.value, "letter 1", f"{TRAFFIC}[2]@7")
    topic.set_aside(payment("p2", 1))
    assert letters.of("p2") is None, "asked again too early"
    clock.now_s += EVERY_S
    assert letters.of("p2") is not None
    assert topic.read == 3 + 2, "three letters, and again the two that were found"


@pytest.mark.parametrize("event_id", ["of a label", "not Avro", "", "P1"])
def test_what_is_no_letter_of_this_payment_is_none(topic: Topic, event_id: str) -> None:
    topic.set_aside(label("of a label", 2, "p1", 1), handle=LABELS)
    topic.set_aside(b"not Avro", payment("p1", 1))
    topic.values.append(None)
    assert LaneLetters(topic).of(event_id) is None


def test_many_letters_are_read_over_several_asks(topic: Topic) -> None:
    clock = Clock()
    letters = LaneLetters(topic, clock, letters_max=2)
    topic.set_aside(*(payment(f"p{n}", 1) for n in range(5)))
    found = []
    for _ in range(3):
        found.append(letters.of("p4") is not None)
        clock.now_s += EVERY_S
    assert found == [False, False, True]


def test_letters_that_the_topic_no_longer_holds_are_passed_over(topic: Topic) -> None:
    topic.set_aside(*(payment(f"p{n}", 1) for n in range(3)))
    topic.begins = 2
    letters = LaneLetters(topic)
    assert [letters.of(name) is not None for name in ("p1", "p2")] == [False, True]
