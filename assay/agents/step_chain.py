"""The steps of a lane in a row: each gets the columns it declares, and its result is compared with its declaration.

A step that writes another column, emits to another topic or asks for effects without a declaration stops the lane: its outputs would
otherwise be skipped somewhere behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from assay.agents.batch import Batch, Context, Result, Rows, WiredStep
from assay.agents.lane_columns import check_of, column_type
from assay.agents.refusals import dead_letters, refused_rows
from assay.agents.step import Effects, Emission, LaneOutput
from assay.agents.taken import RefusedRecord
from assay.codecs.column_match import all_begin_with
from assay.codecs.columns import U8, Column, Columns, Strings, arrays_of, rows, settled, settled_columns
from assay.codecs.single_object import HEADER_BYTES
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_FLAGS = np.dtype(np.bool_)
_NO_FRAMES: Mapping[str, Columns] = MappingProxyType({})


class StepChain:
    """The wired steps of one lane. `handles` are its input topics by number, `dead_letter` takes refused records."""

    def __init__(self, lane: str, steps: Sequence[WiredStep], handles: Sequence[str], dead_letter: str) -> None:
        self.steps = tuple(steps)
        self._checks = {name: check_of(column_type(name)) for wired in steps for name in (*wired.takes, *wired.writes)}
        self._lane = lane
        self._handles = list(handles)
        self._dead_letter = dead_letter

    def handle(self, columns: Columns, n: int, context: Context, refused: Sequence[RefusedRecord]) -> LaneOutput:
        """Fold a journal record of n rows and the records that were refused before it. Raises Stop for a result that is not declared."""
        work = _Work(columns, np.ones(n, np.bool_), list(refused))
        # a record without rows runs the steps that act by time, and what they release runs all steps behind them
        for wired in self.steps:
            if wired.punctuated or wired.holds or len(work.live):
                self._take(wired, wired.step.handle(work.batch_of(wired, context)), work)
        letters = dead_letters(self._dead_letter, work.refused, context.wall_us)
        return LaneOutput([*work.emissions, *letters], work.effects)

    def answer(self, columns: Columns, n: int, context: Context) -> LaneOutput:
        """Fold the answers to the effects of the record before."""
        emissions: list[Emission] = []
        for wired in self.steps:
            if wired.effects:
                result = wired.step.answer(Batch(columns, np.ones(n, np.bool_), context))
                more = (result.columns, result.frames, result.refused, result.effects, result.rows is not None, result.live is not None)
                if any(more):
                    raise self._undeclared(Reason.COLUMN_UNDECLARED, wired, "answers effects with more than emissions")
                emissions += self._listed(wired, result.emissions)
        return LaneOutput(emissions)

    def release_us(self) -> int | None:
        """Wall time at which the next held row is due, None while none waits for a time."""
        due = [at for wired in self.steps if wired.holds and (at := wired.step.release_us()) is not None]
        return min(due, default=None)

    def tables(self) -> Iterator[tuple[str, Rows]]:
        """Tables of all steps, for people."""
        for wired in self.steps:
            yield from wired.step.tables().items()

    def _take(self, wired: WiredStep, result: Result, work: _Work) -> None:
        columns, emissions, live, refused, effects, frames, held = result
        if emissions:
            work.emissions += self._listed(wired, emissions)
        if effects is not None:
            if not wired.effects:
                raise self._undeclared(Reason.EFFECTS_UNDECLARED, wired, "asks for effects")
            work.effects = effects
        if held is not None:
            self._replace(wired, held, work)
        if refused:
            work.refused += refused_rows(refused, work.columns, self._handles)
        if live is not None:
            if live.dtype != _FLAGS or live.shape != work.live.shape:
                raise self._undeclared(Reason.COLUMN_UNDECLARED, wired, f"gives {len(live)} live flags for {len(work.live)} rows")
            work.live = live
        if columns or wired.writes:
            self._write(wired, columns, work)
        if frames or wired.frames_written:
            self._frame(wired, frames, work)

    def _replace(self, wired: WiredStep, held: Columns, work: _Work) -> None:
        """Take the rows that go on behind a step that holds rows."""
        if not wired.holds:
            raise self._undeclared(Reason.HOLDING_UNDECLARED, wired, "holds or releases rows")
        n = rows(held)
        typed = held.keys() == set(wired.takes) and all(self._checks[name](column, n) for name, column in held.items())
        if not typed:
            raise self._undeclared(Reason.COLUMN_UNDECLARED, wired, "lets rows go on without the columns that it was given")
        work.columns, work.live = settled_columns(held), np.ones(n, np.bool_)

    def _write(self, wired: WiredStep, columns: Mapping[str, Column], work: _Work) -> None:
        """Take the columns of a step."""
        n, declared, checks, kept = len(work.live), wired.writes, self._checks, work.columns
        for name, column in columns.items():
            if name not in declared or not checks[name](column, n):
                raise self._undeclared(Reason.COLUMN_UNDECLARED, wired, f"writes column {name}, not as it is declared")
            kept[name] = settled(column)
        if n and len(columns) < len(wired.writes):
            absent = [name for name in wired.writes if name not in columns]
            raise self._undeclared(Reason.COLUMN_UNDECLARED, wired, f"does not write column {', '.join(absent)}")

    def _frame(self, wired: WiredStep, frames: Mapping[str, Columns], work: _Work) -> None:
        """Take the frames of a step."""
        if frames.keys() != set(wired.frames_written):
            what = f"writes the frames {sorted(frames)}, declared are {sorted(wired.frames_written)}"
            raise self._undeclared(Reason.COLUMN_UNDECLARED, wired, what)
        work.frames.update(frames)

    def _listed(self, wired: WiredStep, emissions: Sequence[Emission]) -> Iterator[Emission]:
        for emission in emissions:
            if emission.handle not in wired.emits:
                raise self._undeclared(Reason.EMISSION_UNLISTED, wired, f"emits to {emission.handle}")
            if not _all_begin_with(emission.values, wired.emits[emission.handle]):
                raise self._undeclared(Reason.EMISSION_UNLISTED, wired, f"emits a record of another type to {emission.handle}")
            if len(emission.partitions):
                yield emission

    def _undeclared(self, reason: Reason, wired: WiredStep, what: str) -> Stop:
        return Stop(
            reason,
            f"step {wired.name} {what}",
            where=f"lane {self._lane}",
            remedy="Declare it in the StepSpec in agents/topology.py, or correct the step.",
        )


def _all_begin_with(values: Strings, headers: Sequence[bytes]) -> bool:
    """Whether each value that is not null begins with one of these single-object headers."""
    data, starts, lengths = arrays_of(values)
    return all_begin_with(data, starts, lengths, _joined(tuple(headers)))


@cache
def _joined(headers: tuple[bytes, ...]) -> U8:
    """Headers as rows of bytes."""
    return np.frombuffer(b"".join(headers), np.uint8).reshape(-1, HEADER_BYTES)


class _Work:
    """The state of one journal record on its way through the steps."""

    def __init__(self, columns: Columns, live: NDArray[np.bool_], refused: list[RefusedRecord]) -> None:
        self.columns = dict(columns)
        self.live = live
        self.refused = refused
        self.frames: dict[str, Columns] = {}
        self.emissions: list[Emission] = []
        self.effects: Effects | None = None

    def batch_of(self, wired: WiredStep, context: Context) -> Batch:
        """The batch as the step sees it: its own columns and frames."""
        columns, frames = self.columns, self.frames
        if len(self.live):
            taken = {name: columns[name] for name in wired.takes}
        else:  # a record without rows may have no columns
            taken = {name: columns[name] for name in wired.takes if name in columns}
        return Batch(taken, self.live, context, {name: frames[name] for name in wired.frames_read} if wired.frames_read else _NO_FRAMES)
