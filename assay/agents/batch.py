"""What travels through the steps of a lane: a batch with its place, and the promises of a reader and of a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.agents.intake import Taken
from assay.agents.step import Chunk, Effects, Emission
from assay.codecs.columns import Columns
from assay.codecs.table_state import TableState
from assay.contracts.reasons import Reason


@dataclass(frozen=True)
class Context:
    """Where a batch stands. `offsets` is the basis: next offset per (topic handle, partition) after this batch."""

    shard: int
    epoch: int
    sequence: int
    wall_us: int
    offsets: Sequence[tuple[str, int, int]]


@dataclass
class Batch:
    """Rows in processing order and what the steps so far have found out about them.

    `live` says which rows still count (not duplicates, not refused); `results` is where a step leaves columns for the
    next one, by name; `refused` are rows set aside: (row, reason, detail).
    """

    columns: Columns
    context: Context
    live: NDArray[np.bool_]
    results: dict[str, Any] = field(default_factory=dict)
    refused: list[tuple[int, Reason, str]] = field(default_factory=list)
    dead_letters: Columns = field(default_factory=dict)
    effects: Effects | None = None


class Reader(Protocol):
    """From fetched bytes to the columns of a lane; see `agents/intake.py`."""

    def take(self, chunk: Chunk, late_bound: int) -> Taken:
        """Rows, marks and refusals of one chunk."""


class Step(Protocol):
    """One component's pure logic in a lane. Splitting the input anywhere gives identical emissions and state."""

    name: str

    def handle(self, batch: Batch) -> Sequence[Emission]:
        """Fold a batch in row order."""

    def state(self) -> TableState:
        """The whole state as one value, to be read before the next batch; equal states give equal bytes."""

    def restore(self, state: TableState) -> None:
        """Take a state that `state` gave. Raises Stop when it does not fit this step."""


@dataclass(frozen=True)
class LaneIdentity:
    """What a lane stamps into every journal record."""

    shard: int
    code_digest: bytes
    run_config_digest: bytes
