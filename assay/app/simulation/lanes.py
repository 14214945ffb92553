"""The lanes of the topology for the simulator: the product's machines, and an effector that acts in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from assay.agents.specs import JournalTopic, LaneSpec
from assay.agents.step import EffectResults, Effects, LaneId, Machine, TopicPartition
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import ROWS_MAX, input_partitions, machine_of
from assay.app.run.directory import RunConfig
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


@dataclass
class SimulatedLane:
    """How one lane is built, the partitions it reads, and the world outside if it acts. It has one shard."""

    spec: LaneSpec
    make: Callable[[], Machine]
    tps: Sequence[TopicPartition]
    execute: Callable[[Effects], EffectResults] | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def id(self) -> LaneId:
        """Its identity in the run."""
        return LaneId(self.spec.name, 0)

    @property
    def journal(self) -> TopicPartition | None:
        """The journal partition; None where segments in the store are the journal."""
        return (self.spec.journal.handle, self.id.shard) if isinstance(self.spec.journal, JournalTopic) else None


def simulated_lane(
    spec: LaneSpec,
    config: RunConfig,
    partitions: Mapping[str, int],
    execute: Callable[[Effects], EffectResults],
    rows_max: int = ROWS_MAX,
    code: bytes | None = None,
) -> SimulatedLane:
    """One lane of a run. `partitions` counts partitions per topic handle; `execute` acts if the lane declares an effector."""
    make = partial(machine_of, spec, config, partitions, rows_max, code)
    return SimulatedLane(spec, make, input_partitions(spec, partitions), execute if spec.effector else None)


def simulated_lanes(
    config: RunConfig,
    partitions: Mapping[str, int],
    execute: Callable[[Effects], EffectResults],
    rows_max: int = ROWS_MAX,
    code: bytes | None = None,
) -> list[SimulatedLane]:
    """Every lane of the topology, for one run."""
    return [simulated_lane(spec, config, partitions, execute, rows_max, code) for spec in TOPOLOGY.lanes]
