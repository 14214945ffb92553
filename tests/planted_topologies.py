"""The real topology with one thing changed, and its topic files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from assay.agents.specs import ComponentSpec, LaneSpec, StepSpec, Topology
from assay.agents.topology import ACT, TOPOLOGY
from assay.contracts import handles
from assay.contracts.topics import Topic, topics

Planted = tuple[Topology, Mapping[str, Topic]]


def lane(spec: LaneSpec, **changes: Any) -> Planted:
    """The real topology with a lane changed."""
    changed = replace(spec, **changes)
    return replace(TOPOLOGY, lanes=tuple(changed if one is spec else one for one in TOPOLOGY.lanes)), topics()


def step(spec: LaneSpec, component: str, **changes: Any) -> Planted:
    """The real topology with a step of a lane changed."""
    return lane(spec, steps=tuple(replace(one, **changes) if one.component == component else one for one in spec.steps))


def added(spec: LaneSpec, at: int = 99, **fields: Any) -> Planted:
    """The real topology with another step in a lane, at its end unless a place is named."""
    return lane(spec, steps=(*spec.steps[:at], StepSpec("newcomer", key="event", make=spec.steps[0].make, **fields), *spec.steps[at:]))


def record(spec: LaneSpec, handle: str, **changes: Any) -> Planted:
    """The real topology with the first record of an input changed."""
    given = spec.inputs[handle]
    first = replace(given.records[0], **changes)
    return lane(spec, inputs={**spec.inputs, handle: replace(given, records=(first, *given.records[1:]))})


def components(*given: ComponentSpec, without: str = "") -> Planted:
    """The real topology with other components beside the real ones, or without one of them."""
    kept = tuple(one for one in TOPOLOGY.components if one.name != without)
    return replace(TOPOLOGY, components=(*kept, *given)), topics()


def topic_file(handle: str, **changes: Any) -> Planted:
    """The real topology with a topic file changed."""
    return TOPOLOGY, {**topics(), handle: replace(topics()[handle], **changes)}


def source(name: str, made: Any) -> Planted:
    """The act lane with another source of a column."""
    return record(ACT, handles.RTDL, columns={**ACT.inputs[handles.RTDL].records[0].columns, name: made})
