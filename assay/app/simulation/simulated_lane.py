"""A lane as the simulator takes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.agents.specs import JournalTopic, LaneSpec
from assay.agents.step import EffectResults, Effects, Machine, TopicPartition


@dataclass
class SimulatedLane:
    """How one lane is built, the partitions it reads, and the world outside if it acts."""

    spec: LaneSpec
    make: Callable[[], Machine]
    tps: Sequence[TopicPartition]
    execute: Callable[[Effects], EffectResults] | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def journal(self) -> TopicPartition | None:
        """The journal partition; None where segments in the store are the journal."""
        return (self.spec.journal.handle, 0) if isinstance(self.spec.journal, JournalTopic) else None
