"""The page generated from the topology: pictures of the components that run and of the planned ones, and every lane in tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from assay.agents.specs import (
    ComponentSpec,
    Document,
    Equals,
    Field,
    IdOf,
    JournalTopic,
    LaneSpec,
    RecordSpec,
    Source,
    StepSpec,
    Topology,
    ValueDigest,
)
from assay.agents.step import LaneId
from assay.app.reference.markdown import GENERATED, table
from assay.app.reference.topology_picture import mermaid_planned, mermaid_running, text_lanes, text_topics

_LEGEND: Final = """\
Boxes are components and steps, barrels are topics, frames are lanes with their journals. Arrows follow the records. Dotted arrows are HTTP
calls."""
NONE: Final = "-"
_INTRODUCTION: Final = """\
A lane is a sub-topology: steps in one ordered loop over the same state. A lane runs as shards. `rtdl/0` is shard 0 of lane `rtdl`: one
journal partition, one state, one active worker (a stream task). Topics are named by their handles. Their names on the broker are in
[contracts](contracts.md), every record with its readers in [compatibility](compatibility.md)."""
_ORDERINGS: Final = {"run": "as the run's configuration says", "arrival": "arrival", "event_time": "event time"}


def topology_page(topology: Topology) -> str:
    """Markdown of `docs/topology.md`."""
    running = [component for component in topology.components if not component.planned]
    planned = [component for component in topology.components if component.planned]
    parts = [
        "# Topology",
        GENERATED,
        _INTRODUCTION,
        "## Parts that run",
        _LEGEND,
        _fenced("mermaid", mermaid_running(topology)),
        "The same as text: the steps of each lane, then writers ─▶ topic ─▶ readers.",
        _fenced("", text_lanes(topology), "", text_topics(topology.edges())),
        *(part for lane in topology.lanes for part in _lane(lane)),
        "## Components outside of lanes",
        _components(running),
        "## Planned parts",
        "The topic files reserve these edges. No code uses them yet.",
        _fenced("mermaid", mermaid_planned(topology)),
        _fenced("", text_topics(topology.planned_edges())),
        _components(planned),
    ]
    return "\n\n".join(parts) + "\n"


def _fenced(language: str, *lines: str) -> str:
    return "\n".join([f"```{language}", *lines, "```"])


def _lane(lane: LaneSpec) -> Iterator[str]:
    """The heading, facts, inputs and steps of a lane."""
    yield f"## Lane {lane.name}"
    yield table(("fact", "value"), _facts(lane))
    records = ((handle, given.rank, spec) for handle, given in lane.inputs.items() for spec in given.records)
    yield table(
        ("input", "rank", "record", "columns with a source of their own", "use"),
        ((handle, str(rank), spec.record, _sources(spec), "rows" if spec.rows else "checked, no rows") for handle, rank, spec in records),
    )
    if lane.steps:
        yield table(("step", "key", "reads", "writes", "emits", "tables", "views", "traits"), map(_step, lane.steps))


def _facts(lane: LaneSpec) -> Iterator[tuple[str, str]]:
    journal = lane.journal.handle if isinstance(lane.journal, JournalTopic) else f"segments under `{lane.journal.prefix}`"
    yield "shards", ", ".join(str(LaneId(lane.name, shard)) for shard in range(lane.shards))
    yield "component, pack, role", f"{lane.component}, {lane.pack}, {lane.role.value}"
    yield "ordering of its inputs", _ORDERINGS[lane.ordering]
    yield "machine", lane.machine
    yield "journal", journal
    yield "consumer group ends in", lane.group
    yield "effector", lane.effector or NONE
    yield "dead letters", lane.dead_letter
    yield "emits itself", _records(lane.emits)


def _step(step: StepSpec) -> tuple[str, ...]:
    traits = {"punctuated": step.punctuated, "asks for effects": step.effects, "may hold rows": step.holds}
    return (
        step.component,
        step.key,
        _listed(*step.reads, *(f"frame {name}" for name in step.frames_read)),
        _listed(*step.writes, *(f"frame {name}" for name in step.frames_written)),
        _records(step.emits),
        _listed(*step.tables),
        _listed(*step.views),
        _listed(*(trait for trait, has in traits.items() if has)),
    )


def _components(components: list[ComponentSpec]) -> str:
    rows = [(one.name, one.pack, one.about, _records(one.produces), _records(one.consumes), _listed(*one.calls)) for one in components]
    return table(("component", "pack", "task", "writes", "reads", "calls over HTTP"), rows)


def _sources(spec: RecordSpec) -> str:
    return _listed(*(f"{name}: {_source(source)}" for name, source in spec.columns.items()))


def _source(source: Source) -> str:
    match source:
        case Field(path):
            return f"field `{path}`"
        case Equals(path, text):
            return f"whether field `{path}` is {text}"
        case IdOf(path):
            return f"id in list `{path}`"
        case ValueDigest():
            return "sha256 of the record"
        case Document():
            return "the record as JSON"


def _records(records: Mapping[str, tuple[str, ...]]) -> str:
    return _listed(*(f"{handle} ({', '.join(names)})" for handle, names in records.items()))


def _listed(*values: str) -> str:
    return ", ".join(values) or NONE
