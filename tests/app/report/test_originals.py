"""What a lane sets aside is named, also where its letter has no bytes: by the record at its place, or by its topic."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from records import label, payment

from assay.app.bus.topic_reader import TopicRecord
from assay.app.cli.quarantine import Listed, with_ids
from assay.app.report.originals import originals
from assay.codecs.quarantine import LaneLetter, Place, lane_letter, place_without_bytes, quarantine_value
from assay.contracts.handles import CONTROL, LABELS, TRAFFIC
from assay.contracts.reasons import Reason

LABEL = label("l1", 9, "p1", 1)
WAITED = Reason.LABEL_WAITED_IN_VAIN


def letter(handle: str, raw: bytes = b"", offset: int = 7) -> bytes:
    return quarantine_value(handle, 0, offset, WAITED, "no payment came", 5, raw)


class Bus:
    """Records of the labels topic from offset 6 on; it counts the reads."""

    def __init__(self, values: list[bytes | None]) -> None:
        self._values, self.asked = values, list[tuple[str, int, int, int]]()

    def __call__(self, handle: str, partition: int, first: int, last: int) -> Iterator[TopicRecord]:
        self.asked.append((handle, partition, first, last))
        for offset, value in enumerate(self._values, start=6):
            if first <= offset <= last:
                yield TopicRecord(partition, offset, None, value)


@pytest.mark.parametrize(
    ("value", "original", "record", "event_id", "subject"),
    [
        pytest.param(letter(LABELS, LABEL), b"", "label_assertion", "l1", "p1", id="a label that came with its bytes"),
        pytest.param(letter(LABELS), LABEL, "label_assertion", "l1", "p1", id="a label whose bytes are on the bus"),
        pytest.param(letter(LABELS), b"", "label_assertion", "", "", id="a label that the bus has no more"),
        pytest.param(letter(LABELS, b"hello"), b"", "unreadable", "", "", id="bytes that are no record"),
        pytest.param(letter(TRAFFIC, payment("p1", 1)), b"", "payment", "p1", "", id="a payment names no other"),
        pytest.param(letter(CONTROL), b"", "unreadable", "", "", id="a topic of several records"),
        pytest.param(letter("NO_SUCH_TOPIC"), b"", "unreadable", "", "", id="a topic of another version"),
    ],
)
def test_a_letter_names_its_record_and_its_ids(value: bytes, original: bytes, record: str, event_id: str, subject: str) -> None:
    found: LaneLetter = lane_letter(value, original)
    assert (found.record, found.event_id, found.subject) == (record, event_id, subject)


def test_the_list_has_the_ids_of_what_lies_on_the_bus_and_reads_a_partition_once() -> None:
    other, gone = label("l2", 9, "p2", 1), letter(LABELS, offset=99)
    values = [letter(LABELS, offset=6), letter(LABELS, offset=8), gone, letter(LABELS, LABEL)]
    bus = Bus([LABEL, payment("p9", 1), other, None])
    of_gate = Listed("q1", "gate", "e1", "payment", "SCHEMA_FAIL", "d", "w", "t")
    listed = with_ids([(of_gate, b""), *((of_gate, value) for value in values)], bus)
    assert listed[0] == of_gate
    assert [(one.by, one.what, one.event_id, one.subject) for one in listed[1:]] == [
        ("lane", "label_assertion", "l1", "p1"),
        ("lane", "label_assertion", "l2", "p2"),
        ("lane", "label_assertion", "", ""),
        ("gate", "payment", "e1", ""),
    ], "an entry whose letter has its bytes stays as it is"
    assert bus.asked == [(LABELS, 0, 6, 99)]


def test_a_record_that_was_removed_from_the_bus_is_not_found() -> None:
    places = [Place(LABELS, 0, 6), Place(LABELS, 0, 7)]
    assert originals(places, Bus([None])) == {}
    assert originals([], Bus([])) == {}
    assert originals([places[0], Place(LABELS, 0, 8)], Bus([LABEL, LABEL, LABEL])).keys() == {places[0], Place(LABELS, 0, 8)}
    assert place_without_bytes(letter(LABELS)) == Place(LABELS, 0, 7)
    assert place_without_bytes(letter(LABELS, LABEL)) is None
