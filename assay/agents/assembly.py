"""From the declaration of a lane to its machine: the one place where steps, readers and merge are put together.

Worker, simulator, warm-up, replay and benches call it, so a lane cannot differ between them. It is part of the code digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from assay.agents.audit import AuditMachine
from assay.agents.batch import LaneIdentity, Step, WiredStep
from assay.agents.intake import Intake
from assay.agents.lane import LaneMachine
from assay.agents.lane_columns import ORDERING, ORIGIN, expanded
from assay.agents.lane_input import LaneInput
from assay.agents.merge import Merge
from assay.agents.plans import Plans
from assay.agents.specs import LaneSpec, StepSpec
from assay.agents.step import LaneId, Machine, TopicPartition
from assay.codecs.single_object import record_type
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: rows of one journal record at most
ROWS_MAX = 5_000


@dataclass(frozen=True)
class Setup:
    """The part of a run in its lanes: its compiled policy, the partitions of its topics by handle, the digest of the code."""

    plans: Plans
    partitions: Mapping[str, int]
    code_digest: bytes
    rows_max: int = ROWS_MAX


def assemble(spec: LaneSpec, setup: Setup, shard: int = 0) -> Machine:
    """The machine of one shard of a lane, without state: fold its journal next. Raises Stop(SHARDS_INVALID, TABLE_UNOWNED)."""
    if not 0 <= shard < spec.shards:
        raise Stop(Reason.SHARDS_INVALID, f"lane {spec.name} has no shard {shard}, it has {spec.shards}", remedy="Count from 0.")
    identity = LaneIdentity(LaneId(spec.name, shard), setup.code_digest, setup.plans.run_config_digest)
    if spec.machine == "audit":
        return AuditMachine(spec, setup.plans, input_partitions(spec, setup.partitions))
    return assemble_fold(spec, setup, identity)


def assemble_fold(spec: LaneSpec, setup: Setup, identity: LaneIdentity) -> LaneMachine:
    """The machine of a lane that folds a journal topic."""
    entities = setup.plans.features.entities
    plans = setup.plans if spec.ordering == "run" else replace(setup.plans, ordering=spec.ordering)
    columns = input_columns(spec, entities)
    merge = Merge(spec.ranks, input_partitions(spec, setup.partitions), plans.ordering)
    given = LaneInput(spec.name, merge, Intake(spec.inputs, columns, plans.pins, plans.features.currencies))
    return LaneMachine(identity, given, columns, spec.dead_letter, partial(wired_steps, spec, plans), setup.rows_max)


def input_partitions(spec: LaneSpec, partitions: Mapping[str, int]) -> list[TopicPartition]:
    """Every partition that a lane reads, topic by topic."""
    return [(handle, p) for handle in spec.inputs for p in range(partitions[handle])]


def input_columns(spec: LaneSpec, entities: Sequence[str]) -> tuple[str, ...]:
    """The columns that the records of a lane fill: origin, what orders rows, and all that a step reads and none before it writes."""
    found = dict.fromkeys((*ORIGIN, *(ORDERING if spec.ordering == "run" else ())))
    written: set[str] = set()
    for step in spec.steps:
        found |= dict.fromkeys(name for name in expanded(step.reads, entities) if name not in written)
        written |= set(expanded(step.writes, entities))
    return tuple(found)


def wired_steps(spec: LaneSpec, plans: Plans) -> list[WiredStep]:
    """New steps of a lane, each with read-only views of the tables it declares and the names of the policy filled in."""
    views: dict[str, Callable[[], Any]] = {}
    wired: list[WiredStep] = []
    for number, step in enumerate(spec.steps):
        made = step.make(plans, {name: views[name] for name in step.views})
        if made.tables().keys() != set(step.tables):
            raise Stop(
                Reason.TABLE_UNOWNED,
                f"step {step.component} has the tables {sorted(made.tables())}, declared are {sorted(step.tables)}",
                where=f"lane {spec.name}",
                remedy="Name them under `tables` in the StepSpec in agents/topology.py.",
            )
        views |= {name: partial(made.view, name) for name in step.tables}
        wired.append(
            _wired(step, made, carried_columns(spec, number, plans.features.entities) if step.holds else (), plans.features.entities)
        )
    return wired


def _wired(spec: StepSpec, step: Step, carried: Sequence[str], entities: Sequence[str]) -> WiredStep:
    return WiredStep(
        name=spec.component,
        step=step,
        takes=tuple(dict.fromkeys((*expanded(spec.reads, entities), *carried))),
        writes=expanded(spec.writes, entities),
        emits={handle: tuple(record_type(name).header for name in records) for handle, records in spec.emits.items()},
        frames_read=spec.frames_read,
        frames_written=spec.frames_written,
        punctuated=spec.punctuated,
        effects=spec.effects,
        holds=spec.holds,
    )


def carried_columns(spec: LaneSpec, number: int, entities: Sequence[str]) -> tuple[str, ...]:
    """The columns that a row held by this step needs when it goes on: its origin, and columns of earlier steps that later ones read."""
    available = {*input_columns(spec, entities), *(n for step in spec.steps[:number] for n in expanded(step.writes, entities))}
    later = (name for step in spec.steps[number + 1 :] for name in expanded(step.reads, entities))
    return tuple(dict.fromkeys((*ORIGIN, *(name for name in later if name in available))))
