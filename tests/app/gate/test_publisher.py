"""The gate's process writes what its components declare in the topology, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.agents.components import INGESTION_GATE, LABEL_STORE
from assay.app.gate.policy import RECORD_OF_CLASS, TOPIC_OF_CLASS
from assay.app.gate.publication import Publication
from assay.app.gate.publisher import BusPublisher, check_declared
from assay.app.gate.records import BusRecords
from assay.contracts.errors import Stop
from assay.contracts.handles import CONTEXT, CONTROL, LABELS, TRAFFIC

#: (topic, record) → the component that is refused
UNDECLARED = [
    (TRAFFIC, "context_fact", "ingestion_gate"),
    (CONTEXT, "payment", "ingestion_gate"),
    (CONTROL, "run_ready", "ingestion_gate"),
    (LABELS, "payment", "label_store"),
    (TRAFFIC, "label_assertion", "ingestion_gate"),
]


@pytest.mark.parametrize(("handle", "record", "writer"), UNDECLARED)
def test_a_record_that_is_not_declared_is_refused_before_it_is_produced(handle: str, record: str, writer: str) -> None:
    publisher = BusPublisher("127.0.0.1:1", {handle: "elsewhere"})
    publication = Publication(1)
    with pytest.raises(Stop, match=f"PRODUCER_UNLISTED: {writer} may not write a {record} to {handle}"):
        publisher.publish(handle, BusRecords(record, [b"k"], [b"v"], [0]), publication, [0])
    assert publication.pending == 0


def test_events_of_every_class_and_their_watermarks_are_declared() -> None:
    for event_class, handle in TOPIC_OF_CLASS.items():
        check_declared(handle, RECORD_OF_CLASS[event_class])
        check_declared(handle, "mark")


def test_the_declaration_decides_and_no_second_list() -> None:
    """A record that is taken out of a ComponentSpec is refused by the front-end."""
    writers = (INGESTION_GATE, replace(LABEL_STORE, produces={LABELS: ("mark",)}))
    with pytest.raises(Stop, match="PRODUCER_UNLISTED: label_store may not write a label_assertion"):
        check_declared(LABELS, "label_assertion", writers)
