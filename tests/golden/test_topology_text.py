"""The topology as text is kept in `topology.txt`, so that every change of it is read as a diff."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from assay.agents.specs import Field, InputSpec, JournalSegments, RecordSpec, Role, Topology
from assay.agents.topology import ACT, RTDL, TOPOLOGY
from assay.agents.topology_text import topology_text
from assay.contracts.handles import TRAFFIC

FILE = Path(__file__).parent / "topology.txt"


def test_the_topology_is_the_one_that_is_written_down() -> None:
    written = FILE.read_text(encoding="utf-8")
    now = topology_text(TOPOLOGY)
    diff = "\n".join(difflib.unified_diff(written.splitlines(), now.splitlines(), "tests/golden/topology.txt", "the topology", lineterm=""))
    assert now == written, f"the topology changed; read the diff, then write it again with `make docs`:\n{diff}"


#: another value for a field of this name, where adding to the present value does not give one
OTHERS: dict[str, Any] = {
    "role": Role.AUDIT,
    "ordering": "event_time",
    "machine": "audit",
    "key": "none",
    "journal": JournalSegments("elsewhere"),
    "make": Role,
    "effector": "others",
    "inputs": {"FP_OTHER": InputSpec(7, ())},
    "columns": {"ts_us": Field("elsewhere")},
    "records": (RecordSpec("other"),),
    "steps": (),
    "emits": {"FP_OTHER": ("other",)},
    "produces": {"FP_OTHER": ("other",)},
    "consumes": {"FP_OTHER": ("other",)},
}


def other(name: str, value: Any) -> Any:
    """A value that differs from this one."""
    if name in OTHERS:
        return OTHERS[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return (*value, "other")
    return value + 1 if isinstance(value, int) else f"{value} other"


def variants(spec: Any) -> Iterator[tuple[str, Any]]:
    """A spec with one field changed, for every field."""
    for field in fields(spec):
        yield f"{type(spec).__name__}.{field.name}", replace(spec, **{field.name: other(field.name, vars(spec)[field.name])})


def changed() -> Iterator[tuple[str, Topology]]:
    """The real topology with one field of one spec changed, for every field of every spec."""
    component, step, given = TOPOLOGY.components[0], RTDL.steps[0], RTDL.inputs[TRAFFIC]
    lanes = [
        *variants(ACT),
        *((name, replace(RTDL, steps=(one, *RTDL.steps[1:]))) for name, one in variants(step)),
        *((name, replace(RTDL, inputs={**RTDL.inputs, TRAFFIC: one})) for name, one in variants(given)),
        *(
            (name, replace(RTDL, inputs={**RTDL.inputs, TRAFFIC: replace(given, records=(one,))}))
            for name, one in variants(given.records[0])
        ),
    ]
    yield from ((name, replace(TOPOLOGY, lanes=(lane, *TOPOLOGY.lanes[1:]))) for name, lane in lanes)
    yield from ((name, replace(TOPOLOGY, components=(one, *TOPOLOGY.components[1:]))) for name, one in variants(component))


CHANGED = dict(changed())


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_of_any_field_shows_in_the_text(name: str) -> None:
    unchanged = replace(TOPOLOGY, lanes=((ACT if name.startswith("LaneSpec") else RTDL), *TOPOLOGY.lanes[1:]))
    assert topology_text(CHANGED[name]) != topology_text(unchanged)
