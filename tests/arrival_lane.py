"""The decision lane under `arrival`, fed by hand: one journal record per call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from records import RTDL, chunk
from simulated_worlds import config
from states import Holder

from assay.agents.lane import NOTE_AFTER_US, LaneMachine
from assay.agents.step import Emission, JournalEntry
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.run.directory import RunConfig
from assay.codecs.single_object import unpack
from assay.codecs.table_state import blocks, read_state
from assay.contracts.handles import CHANGELOG_ENTITIES as ENTITIES
from assay.contracts.handles import CHANGELOG_FEATURES as FEATURES

START_US = 1_800_000_000_000_000
CHANGELOGS = (FEATURES, ENTITIES)


class ArrivalLane:
    """A lane and what it has emitted: decisions in order, and the changelogs as compaction leaves them (None is a tombstone)."""

    def __init__(self, **changed: Any) -> None:
        self.config: RunConfig = config().model_copy(update={"ordering": "arrival", **changed})
        self.lane = self._empty()
        self.wall_us = START_US
        self.decisions: list[dict[str, Any]] = []
        self.newest: dict[str, dict[str, dict[str, Any] | None]] = {handle: {} for handle in CHANGELOGS}
        self.letters: list[str] = []
        self._next: dict[str, int] = defaultdict(int)

    def step(self, name: str) -> Any:
        """The step of this name."""
        (found,) = (wired.step for wired in self.lane._chain.steps if wired.name == name)
        return found

    def steps(self) -> Mapping[str, Holder]:
        """Steps by name."""
        return {wired.name: wired.step for wired in self.lane._chain.steps}

    def fold(self, inputs: Mapping[str, Sequence[bytes]], after_us: int = 1_000) -> list[Emission]:
        """Fold records by topic handle as one journal record, this long after the one before."""
        for handle, values in inputs.items():
            self.lane.receive(chunk(handle, values, self._next[handle]))
            self._next[handle] += len(values)
        self.wall_us += after_us
        return self._folded(self.lane.next_entry(self.wall_us))

    def rest(self) -> None:
        """Nothing comes any more: the lane writes its notes."""
        for _ in range(3):
            self.wall_us += NOTE_AFTER_US
            if (entry := self.lane.next_entry(self.wall_us)) is not None:
                self._folded(entry)

    def restart(self) -> None:
        """Go on in another process: from the bytes of the state."""
        parts = {name: read_state(b"".join(blocks(state))) for name, state in self.lane.state().items()}
        self.lane = self._empty()
        self.lane.restore(parts)
        self.lane.unemitted()

    def _empty(self) -> LaneMachine:
        return fold_machine_of(TOPOLOGY.lane("rtdl"), self.config, partition_counts(1))

    def _folded(self, entry: JournalEntry | None) -> list[Emission]:
        assert entry is not None
        emissions = list(self.lane.apply(entry.value).emissions)
        self.lane.emitted(entry.sequence)
        for handle, _, keys, values, _ in emissions:
            for key, value in zip(map(str, keys.text()), values.tolist(), strict=True):
                body = None if value is None else unpack(value)[1]
                if handle in self.newest:
                    self.newest[handle][key] = body
                elif handle == RTDL:
                    assert body is not None
                    self.decisions.append(body)
                else:
                    assert body is not None
                    self.letters.append(body["reason"])
        return emissions
