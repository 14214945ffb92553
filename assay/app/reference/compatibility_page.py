"""The compatibility matrix, generated from the topology: which component writes a record under which schema, and which one reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import assay
from assay.agents.specs import Topology
from assay.app.reference.markdown import GENERATED, table
from assay.contracts.avro_schemas import paths

_ROOT: Final = Path(assay.__file__).parent.parent
_INTRODUCTION: Final = """\
Each row is one path of a record: a producer writes it to a topic under a schema, and a consumer reads it. The rows come from the topology.
A component that writes or reads a record outside of these rows is refused (`PRODUCER_UNLISTED`, `CONSUMER_UNLISTED`, `EMISSION_UNLISTED`).
A record without a row is refused too (`TOPIC_ORPHANED`)."""


class Compatibility(NamedTuple):
    """One row: `consumer` reads the `record` that `producer` writes to `topic` under `schema`. `planned`: one of them does not run yet."""

    producer: str
    topic: str
    record: str
    schema: str
    consumer: str
    planned: bool


def compatibility(topology: Topology) -> Iterator[Compatibility]:
    """The matrix, ordered by topic, record, producer and consumer."""
    schemas = {record: path.relative_to(_ROOT).as_posix() for record, path in paths().items()}
    running = set(topology.edges())
    known = running | set(topology.planned_edges())
    producers = [edge for edge in known if edge.verb == "produces"]
    for producer in sorted(producers, key=lambda edge: (edge.handle, edge.record, edge.component)):
        for consumer in sorted(edge for edge in known if edge.verb == "consumes" and edge[2:] == producer[2:]):
            planned = not {producer, consumer} <= running
            yield Compatibility(producer.component, producer.handle, producer.record, schemas[producer.record], consumer.component, planned)


def compatibility_page(topology: Topology) -> str:
    """Markdown of `docs/compatibility.md`."""
    rows = (
        (row.producer, row.topic, row.record, f"`{row.schema}`", row.consumer, "planned" if row.planned else "runs")
        for row in compatibility(topology)
    )
    parts = [
        "# Compatibility",
        GENERATED,
        _INTRODUCTION,
        table(("producer", "topic", "record", "schema", "consumer", "state"), rows),
    ]
    return "\n\n".join(parts) + "\n"
