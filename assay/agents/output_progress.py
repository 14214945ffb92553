"""How far the outputs of a machine are out, and the input offsets that may be committed for it. The fold and audit machines share it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from assay.agents.step import TopicPartition


class OutputProgress:
    """Outputs of sequence `through` and of all before it are acknowledged, -1 for none."""

    def __init__(self) -> None:
        self.through = -1
        self._folded: deque[tuple[int, Mapping[TopicPartition, int]]] = deque()
        self._committable: Mapping[TopicPartition, int] = {}

    def folded(self, sequence: int, position: Mapping[TopicPartition, int]) -> None:
        """A journal record was folded; `position` are the next offsets of the inputs after it."""
        self._folded.append((sequence, position))

    def emitted(self, sequence: int) -> None:
        """Outputs of this sequence and all before it are acknowledged by the broker."""
        self.through = max(self.through, sequence)
        while self._folded and self._folded[0][0] <= sequence:
            self._committable = self._folded.popleft()[1]

    def restored(self, sequence: int, position: Mapping[TopicPartition, int]) -> None:
        """A snapshot was taken over; all its outputs are out."""
        self.through, self._committable = sequence, position

    def committable(self) -> dict[TopicPartition, int]:
        """Next offset per input partition that the consumer group may commit."""
        return dict(self._committable)
