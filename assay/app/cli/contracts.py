"""`assay contracts`: check contracts, release schemas, write their documentation."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from assay.agents.topology import TOPOLOGY
from assay.agents.topology_check import check as check_topology
from assay.agents.topology_text import topology_text
from assay.app.cli.plain_app import plain_app
from assay.app.reference.compatibility_page import compatibility_page
from assay.app.reference.contracts_page import contracts_page
from assay.app.reference.topology_page import topology_page
from assay.app.runner.wire_model import FILE, proto
from assay.app.screen import say, say_json
from assay.codecs.single_object import record_types
from assay.contracts import compatibility
from assay.contracts.avro_schemas import RELEASED, current, fingerprint_hex, released
from assay.contracts.envelope import EVENT_TYPES
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.ingest_schemas import ingest_schema
from assay.contracts.reasons import Reason
from assay.contracts.topics import Topic, edges, topics

app = plain_app("Check contracts and write their documentation.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="as JSON")]
FolderOption = Annotated[Path, typer.Option("--folder", help="folder of the generated pages")]


@app.command(short_help="check topology, topic files, key vectors and schemas")
def check(*, as_json: JsonOption = False) -> None:
    """Check the topology against the topic files and these against it, key vectors, and schemas against the released ones.

    Example: assay contracts check
    """
    record_types()  # fastavro reads every schema: types are known, defaults fit
    check_topology(TOPOLOGY, topics())
    vectors = check_golden_vectors(topics().values())
    compatibility.check(current(), released())
    if as_json:
        schemas = {"record_schemas": len(current()), "released": len(released())}
        say_json({"topics": len(topics()), "edges": len(list(edges())), "key_vectors": vectors, **schemas})
        return
    counts = f"{len(topics())} topics, {len(list(edges()))} edges, {vectors} key vectors"
    say(f"{counts}, {len(current())} record schemas, {len(released())} released: all hold")


@app.command(short_help="keep a copy of every schema that is not released yet")
def release() -> None:
    """Keep a copy of every schema that is not released yet, under its fingerprint. Commit the files."""
    for record, schema in current().items():
        path = RELEASED / f"{fingerprint_hex(schema)}.avsc"
        if path.stem not in released():
            path.write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            say(f"released {record} as {path.stem}")


@app.command(short_help="print the Avro schema of a body of events")
def schema(event_type: Annotated[str, typer.Argument(help="as in an envelope")]) -> None:
    """Print the schema with which an Avro body of the gate's batch call is written. Events of one kind of payload share one.

    Example: assay contracts schema transaction
    """
    if event_type not in EVENT_TYPES:
        what = f"there is no event type {event_type!r}"
        raise Quarantine(Reason.EVENT_TYPE_UNKNOWN, what, remedy=f"Name one of {', '.join(EVENT_TYPES)}.")
    say_json(ingest_schema(EVENT_TYPES[event_type].record))


@app.command(short_help="write the pages and the .proto file that follow from contracts")
def docs(folder: FolderOption = Path("docs")) -> None:
    """Write contracts.md, compatibility.md, topology.md and the .proto file of the Scenario Runner."""
    for name, page in pages().items():
        (folder / name).write_text(page, encoding="utf-8")
        say(f"wrote {folder / name}")


@app.command(short_help="print the topology as text")
def topology() -> None:
    """Print every field of the topology. The tests keep a copy in tests/golden/topology.txt; `make docs` writes it."""
    say(topology_text(TOPOLOGY), end="")


def pages() -> dict[str, str]:
    """File name → text of everything that is generated from contracts and topology."""
    return {
        "contracts.md": contracts_page(),
        "compatibility.md": compatibility_page(TOPOLOGY),
        "topology.md": topology_page(TOPOLOGY),
        FILE: proto(),
    }


def check_golden_vectors(declared: Iterable[Topic]) -> int:
    """Recompute every key vector of topic files; raises Stop(TOPIC_FILE_INVALID). Gives their number."""
    checked = 0
    for found in declared:
        for vector in found.golden:
            name, fields, partitions = vector["record"], vector["fields"], vector["partitions"]
            computed = (found.key(name, fields).decode(), found.partition(name, fields, partitions))
            if computed != (vector["key"], vector["partition"]):
                what = f"the vector of {name} gives {computed}, written {(vector['key'], vector['partition'])}"
                raise Stop(Reason.TOPIC_FILE_INVALID, what, where=f"{found.topic}.yaml")
            checked += 1
    return checked


def main(arguments: list[str]) -> int:
    """Run `assay contracts` with the remaining arguments."""
    return app(arguments, prog_name="assay contracts", standalone_mode=False) or 0
