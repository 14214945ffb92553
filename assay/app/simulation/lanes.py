"""The lanes of the topology for the simulator: the product's machines, and an effector that acts in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from assay.agents.audit import AuditMachine
from assay.agents.step import EffectResults, Effects, Machine
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import build_lane
from assay.app.run.directory import RunConfig
from assay.app.simulation.process import SimulatedLane
from assay.codecs.columns import Strings


class KeyedEffector:
    """Honours keys: it acts once for each and can be asked by it. It lives outside of every process, so no crash forgets what it did."""

    def __init__(self) -> None:
        self.acts: dict[bytes, str] = {}
        #: keys of actions that were done, and were asked for again by a caller that did not ask first whether they are
        self.blindly: list[bytes] = []

    def execute(self, effects: Effects) -> EffectResults:
        """Act on every key that is not done yet."""
        keys = [row.tobytes() for row in effects.idempotency_key]
        for key, kind in zip(keys, effects.action_kind.text(), strict=True):
            if key not in self.acts:
                self.acts[key] = str(kind)
            elif not effects.ask_first:
                self.blindly.append(key)
        n = len(keys)
        return EffectResults(
            Strings.repeat(b"EXECUTED", n),
            np.ones(n, np.int32),
            Strings.repeat(b"", n),
            Strings.of([f"model:{key.hex()[:16]}" for key in keys]),
        )


def simulated_lanes(
    config: RunConfig,
    partitions: Mapping[str, int],
    execute: Callable[[Effects], EffectResults],
    rows_max: int = 5_000,
    code: bytes | None = None,
) -> list[SimulatedLane]:
    """The lanes rtdl, act and audit of one run. `partitions` counts partitions per topic handle."""
    lanes: list[SimulatedLane] = []
    for spec in TOPOLOGY.lanes:
        tps = [(handle, p) for handle in spec.ranks for p in range(partitions[handle])]

        def make(name: str = spec.name) -> Machine:
            chosen = TOPOLOGY.lane(name)
            if chosen.journal is None:
                inputs = [(handle, p) for handle in chosen.ranks for p in range(partitions[handle])]
                return AuditMachine(config.pins, inputs, partitions["FP_BUS_AUDIT_V1"], config.idempotency_horizon.rows)
            return build_lane(chosen, config, partitions, rows_max, code)

        journal = (spec.journal, 0) if spec.journal else None
        lanes.append(SimulatedLane(spec.name, make, tps, journal, execute if spec.name == "act" else None))
    return lanes
