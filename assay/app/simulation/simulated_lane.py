"""A lane as the simulator takes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.agents.specs import JournalTopic, LaneSpec
from assay.agents.step import EffectResults, Effects, LaneId, Machine, TopicPartition


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
