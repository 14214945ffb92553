"""The topology as text, every field of it: a golden file of the tests, so that a change of the topology shows as a diff.

The text is made from the fields of the dataclasses in `specs.py`. A new field of a spec is in the text without a change here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

from assay.agents.assembly import input_columns
from assay.agents.specs import (
    ComponentSpec,
    InputSpec,
    JournalSegments,
    JournalTopic,
    LaneSpec,
    RecordSpec,
    Source,
    StepSpec,
    Topology,
)

#: the word for each kind of spec
_KINDS: Final[Mapping[type, str]] = {
    LaneSpec: "lane",
    ComponentSpec: "component",
    StepSpec: "step",
    RecordSpec: "record",
    InputSpec: "input with rank",
}
_INDENT: Final = "  "
_NONE: Final = "-"


def topology_text(topology: Topology) -> str:
    """Lanes, then components, one field a line. The columns of the inputs are given for a policy with one entity, `*`."""
    blocks = [*map(_lane, topology.lanes), *map(_spec, topology.components)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _lane(lane: LaneSpec) -> Iterator[str]:
    yield from _spec(lane)
    yield f"{_INDENT}columns from the inputs (derived): {_listed(input_columns(lane, ('*',)))}"


def _spec(spec: Any) -> Iterator[str]:
    """A spec under its first field, which is its name; then one line per field, or a block for a field that holds specs."""
    first, *others = fields(spec)
    values = vars(spec)
    yield f"{_KINDS[type(spec)]} {values[first.name]}"
    for field in others:
        yield from (_INDENT + line for line in _field(field.name, values[field.name]))


def _field(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield f"{name}:"
        for key, inner in value.items():
            yield from (_INDENT + line for line in _field(str(key), inner))
    elif _holds_specs(value):
        yield f"{name}:"
        for inner in value if isinstance(value, tuple) else (value,):
            yield from (_INDENT + line for line in _spec(inner))
    else:
        yield f"{name}: {_plain(value)}"


def _holds_specs(value: Any) -> bool:
    return type(value) in _KINDS or (isinstance(value, tuple) and bool(value) and type(value[0]) in _KINDS)


def _plain(value: Any) -> str:
    if isinstance(value, JournalTopic | JournalSegments | Source):
        return repr(value)
    if isinstance(value, tuple | Mapping):
        return _listed(tuple(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    return _NONE if value is None else str(value)


def _listed(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values)) or _NONE
