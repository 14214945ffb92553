"""Pictures of the topology: Mermaid flow charts, and lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from assay.agents.specs import JOURNAL_RECORD, JournalTopic, LaneSpec, StepSpec, Topology
from assay.agents.step import LaneId
from assay.contracts.topics import Edge

_NOBODY = "·"


def mermaid_running(topology: Topology) -> str:
    """Lanes as frames with their steps and their journal, components, topics and HTTP calls: everything that runs."""
    components = [component for component in topology.components if not component.planned]
    lines = ["flowchart LR", *(line for lane in topology.lanes for line in _frame(lane))]
    lines += [f"  {component.name}[{component.name}]" for component in components]
    journals = {lane.journal.handle for lane in topology.lanes if isinstance(lane.journal, JournalTopic)}
    lines += [f"  {handle}[({handle})]" for handle in _handles(topology.edges()) if handle not in journals]
    lines += _unique(line for lane in topology.lanes for line in _lane_arrows(lane))
    lines += _unique(_arrow(edge, "-->") for component in components for edge in component.edges())
    lines += [f"  {component.name} -. HTTP .-> {called}" for component in components for called in component.calls]
    return "\n".join(lines)


def mermaid_planned(topology: Topology) -> str:
    """The planned edges, dashed."""
    edges = list(topology.planned_edges())
    lines = ["flowchart LR", *(f"  {handle}[({handle})]" for handle in _handles(edges))]
    return "\n".join([*lines, *_unique(_arrow(edge, "-.->") for edge in edges)])


def text_lanes(topology: Topology) -> str:
    """One line per shard of a lane with its steps in their order, one line per HTTP call."""
    rows = [
        (str(LaneId(lane.name, shard)), f"{lane.component}: {' → '.join(step.component for step in lane.steps) or lane.machine}")
        for lane in topology.lanes
        for shard in range(lane.shards)
    ]
    rows += [("HTTP", f"{one.name} → {called}") for one in topology.components if not one.planned for called in one.calls]
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {steps}" for name, steps in rows)


def text_topics(edges: Iterable[Edge]) -> str:
    """One line per topic: writers ─▶ topic ─▶ readers."""
    known = list(edges)
    rows = [(_who(known, handle, "produces"), handle, _who(known, handle, "consumes")) for handle in _handles(known)]
    left = max((len(row[0]) for row in rows), default=0)
    middle = max((len(row[1]) for row in rows), default=0)
    return "\n".join(f"{writers:>{left}} ─▶ {handle:<{middle}} ─▶ {readers}" for writers, handle, readers in rows)


def _frame(lane: LaneSpec) -> Iterator[str]:
    shards = ", ".join(str(LaneId(lane.name, shard)) for shard in range(lane.shards))
    yield f'  subgraph lane_{lane.name}["lane {shards}"]'
    yield from (f'    {_id(lane, step)}["{_label(step)}"]' for step in lane.steps)
    if not lane.steps:
        yield f'    {lane.name}_machine["{lane.component}<br/>machine: {lane.machine}"]'
    yield from (f"    {_id(lane, one)} --> {_id(lane, other)}" for one, other in zip(lane.steps, lane.steps[1:], strict=False))
    yield f"    {_journal(lane)}"
    yield "  end"


def _journal(lane: LaneSpec) -> str:
    if isinstance(lane.journal, JournalTopic):
        return f"{lane.journal.handle}[({lane.journal.handle})]"
    return f'{lane.name}_segments[("segments {lane.journal.prefix}")]'


def _label(step: StepSpec) -> str:
    facts = {"key": step.key, "tables": ", ".join(step.tables), "views": ", ".join(step.views)}
    return "<br/>".join([step.component, *(f"{name}: {value}" for name, value in facts.items() if value)])


def _lane_arrows(lane: LaneSpec) -> Iterator[str]:
    """Arrows of the machine begin and end at the frame, those of a step at its box."""
    by_step = {edge for step in lane.steps for edge in _step_edges(step)}
    for edge in lane.edges():
        if edge.record != JOURNAL_RECORD and edge not in by_step:
            yield _arrow(edge._replace(component=f"lane_{lane.name}"), "-->")
    for step in lane.steps:
        yield from (_arrow(edge._replace(component=_id(lane, step)), "-->") for edge in _step_edges(step))


def _step_edges(step: StepSpec) -> Iterator[Edge]:
    yield from (Edge(step.component, "produces", handle, record) for handle, records in step.emits.items() for record in records)


def _id(lane: LaneSpec, step: StepSpec) -> str:
    return f"{lane.name}_{step.component}"


def _arrow(edge: Edge, arrow: str) -> str:
    ends = (edge.component, edge.handle) if edge.verb == "produces" else (edge.handle, edge.component)
    return f"  {ends[0]} {arrow} {ends[1]}"


def _unique(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))


def _handles(edges: Iterable[Edge]) -> list[str]:
    return sorted({edge.handle for edge in edges})


def _who(edges: list[Edge], handle: str, verb: str) -> str:
    return ", ".join(sorted({edge.component for edge in edges if (edge.handle, edge.verb) == (handle, verb)})) or _NOBODY
