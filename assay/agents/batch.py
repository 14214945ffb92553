"""The data between the steps of a lane: a batch of rows as typed columns, and the result of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.agents.step import Effects, Emission, LaneId
from assay.codecs.columns import Column, Columns
from assay.codecs.table_state import TableState, state_refused
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: one row of a batch that a step refuses: its row number, the reason, and the detail for people
RefusedRow: TypeAlias = tuple[int, Reason, str]


@dataclass(frozen=True)
class Context:
    """The journal record of a batch. `offsets` is the basis: next offset per (topic handle, partition) after this record.

    `watermark_us` is the event time that every input has passed; rows before it are all in the journal.
    """

    shard: int
    epoch: int
    sequence: int
    wall_us: int
    offsets: Sequence[tuple[str, int, int]]
    watermark_us: int


class Batch(NamedTuple):
    """The rows of one journal record, in processing order, as one step sees them.

    `columns` holds the columns that the step declares. `live` (n,) is False for a duplicate and for a refused row.
    `frames` holds the frames that the step declares: columns with a row count of their own.
    """

    columns: Columns
    live: NDArray[np.bool_]
    context: Context
    frames: Mapping[str, Columns] = MappingProxyType({})

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.live)


class Result(NamedTuple):
    """The result of one step for one batch.

    `columns` and `frames` are the declared ones, all of them. `live` replaces the mask of the batch. A step that holds rows gives
    `rows`: the columns of all rows that go on, in order, held ones left out and released ones put in; `live`, `columns` and
    `refused` belong to them.
    """

    columns: Mapping[str, Column] = MappingProxyType({})
    emissions: Sequence[Emission] = ()
    live: NDArray[np.bool_] | None = None
    refused: Sequence[RefusedRow] = ()
    effects: Effects | None = None
    frames: Mapping[str, Columns] = MappingProxyType({})
    rows: Columns | None = None


class Rows(Protocol):
    """A table as people read it."""

    def row(self, key: str) -> dict[str, Any] | None:
        """The row of this key, None if the key is unknown."""


#: read-only faces of tables by name; each call gives the table as it is now, also after a restore
Views: TypeAlias = Mapping[str, Callable[[], Any]]


class Step(Protocol):
    """The pure logic of one component in a lane. Splitting the input anywhere gives identical emissions and state, but for the journal
    sequences in them.

    A step inherits what it does not need: it keeps no state, owns no table, holds no row and answers no effect.
    """

    def handle(self, batch: Batch) -> Result:
        """Fold a batch in row order."""

    def answer(self, batch: Batch) -> Result:
        """Fold the answers to the effects of the record before. Raises Stop(ANSWERS_UNEXPECTED) in a step without effects."""
        raise Stop(
            Reason.ANSWERS_UNEXPECTED,
            f"journal record {batch.context.sequence} answers effects, this step asked for none",
            remedy="The journal was altered, or another lane wrote to it; compare it with its archive.",
        )

    def release_us(self) -> int | None:
        """Wall time at which the next held row is due, None while no row waits for a time."""
        return None

    def tables(self) -> Mapping[str, Rows]:
        """The tables that this step owns, for people."""
        return {}

    def view(self, table: str) -> Any:
        """The read-only face of an owned table for later steps. Raises KeyError for another table."""
        raise KeyError(table)

    def state(self) -> TableState:
        """The whole state as one value, to be read before the next batch; equal states give equal bytes."""
        return TableState({})

    def restore(self, state: TableState) -> None:
        """Take a state that `state` gave. Raises Stop(STATE_UNREADABLE, STATE_OF_ANOTHER_PLAN) if it does not fit this step."""
        if state.header or state.arrays:
            raise state_refused("belongs to a step that keeps state, this one keeps none")


@dataclass(frozen=True)
class LaneIdentity:
    """The stamp of every journal record of a lane."""

    lane: LaneId
    code_digest: bytes
    run_config_digest: bytes

    @property
    def shard(self) -> int:
        return self.lane.shard


@dataclass(frozen=True)
class WiredStep:
    """A step and its declaration with the names of the policy filled in.

    `takes` are the columns it is given: its reads, and for a step that holds rows everything that goes on with a row.
    """

    name: str
    step: Step
    takes: tuple[str, ...]
    writes: tuple[str, ...]
    #: topic handle → the headers of the records that it may write there
    emits: Mapping[str, Sequence[bytes]]
    frames_read: tuple[str, ...] = ()
    frames_written: tuple[str, ...] = ()
    punctuated: bool = False
    effects: bool = False
    holds: bool = False
