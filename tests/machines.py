"""Machines and readers of the topology for tests that need one part of a lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from records import PINS
from simulated_worlds import config

from assay.agents.assembly import input_columns, input_partitions
from assay.agents.audit import AuditMachine
from assay.agents.batch import WiredStep
from assay.agents.intake import Intake
from assay.agents.lane import LaneMachine
from assay.agents.specs import InputSpec, LaneSpec, Role
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import machine_of, partition_counts

ENTITIES = ("customer", "terminal")


def reader(lane: LaneSpec, handles: Sequence[str] | None = None, entities: Sequence[str] = ENTITIES) -> Intake:
    """The reader of a lane, of these inputs only and in this order if some are named."""
    inputs: Mapping[str, InputSpec] = {handle: lane.inputs[handle] for handle in handles or lane.inputs}
    return Intake(inputs, input_columns(lane, entities), PINS)


def audit_machine(rows: int = 1_000) -> AuditMachine:
    """An audit lane over one partition that remembers so many decisions."""
    spec = TOPOLOGY.with_role(Role.AUDIT)
    horizon = config().idempotency_horizon.model_copy(update={"rows": rows})
    machine = machine_of(spec, config().model_copy(update={"idempotency_horizon": horizon}), partition_counts(1))
    assert isinstance(machine, AuditMachine)
    assert input_partitions(spec, partition_counts(1)) == list(machine.position())
    return machine


def wired(lane: LaneMachine) -> tuple[WiredStep, ...]:
    """The steps of a lane."""
    return lane._chain.steps
