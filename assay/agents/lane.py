"""A lane: steps in one ordered loop over the same state, and the order journal → outputs → commit as a pure machine.

`next_entry` fixes the processing order and makes the journal record; `apply` folds a journal record and is the only way
to change state, so a live worker, a recovering worker and a replay run the same code over the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from assay.agents.applied_position import AppliedPosition
from assay.agents.batch import Batch, Context, LaneIdentity, Reader, Step
from assay.agents.intake import RefusedRecord, as_it_came, fitting, refused_columns
from assay.agents.journal import BATCH, CLAIM, RESULT, UPGRADE, JournalReader, JournalRecord, other_code, other_policy
from assay.agents.lane_state import parts_of, restored
from assay.agents.merge import Merge, Ordering
from assay.agents.step import Chunk, EffectResults, JournalEntry, LaneOutput, TopicPartition
from assay.codecs.columns import Columns, rows
from assay.codecs.single_object import resolve
from assay.codecs.table_state import TableState
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: an idle lane records that its outputs are out after this long
NOTE_AFTER_US = 1_000_000
#: the dead-letter path has a limit: this many refusals in a row stop the lane instead of draining its input
REFUSALS_IN_A_ROW_MAX = 10_000
#: refused records travel whole through the journal; these many bytes of them fit one record beside its rows
REFUSED_BYTES_MAX = 4 * 1024 * 1024


class LaneMachine:
    """The machine (see `agents/step.py`) of a lane with several inputs and a chain of steps."""

    def __init__(
        self,
        name: str,
        identity: LaneIdentity,
        inputs: Mapping[str, int],
        partitions: Mapping[str, int],
        policy: Ordering,
        intake: Reader,
        make_steps: Callable[[], Sequence[Step]],
        rows_max: int = 5_000,
    ) -> None:
        self.name = name
        self.identity = identity
        tps = [(handle, p) for handle in inputs for p in range(partitions[handle])]
        self._handles = list(inputs)
        self._merge = Merge(inputs, tps, policy)
        self._intake = intake
        self._make_steps = make_steps
        self.steps = list(make_steps())
        self._rows_max = rows_max
        self.applied = AppliedPosition(identity.shard, tps)
        self._refused: list[RefusedRecord] = []
        self._refused_in_a_row = 0
        self._last_refused: RefusedRecord | None = None
        self._next_sequence = 0
        self._emitted_through = self._recorded_through = self._last_work = -1
        self._last_wall_us = 0
        self._noted = False
        self._applied: deque[tuple[int, dict[TopicPartition, int]]] = deque()
        self._committable: dict[TopicPartition, int] = {}
        self._tail: deque[tuple[JournalRecord, LaneOutput]] = deque()

    # -- input side: what is fetched, and the order it folds in

    def receive(self, chunk: Chunk) -> None:
        tp, unseen = chunk.tp, self._merge.next_unseen(chunk.tp)
        fresh = chunk.offsets >= unseen
        if not fresh.any():
            return
        if chunk.first > unseen:
            raise Stop(
                Reason.INPUT_GAP,
                f"lane {self.name}: {chunk.handle} goes on at offset {chunk.first}, expected {unseen}",
                where=f"{chunk.handle}[{chunk.partition}]",
                remedy="Records were deleted before they were decided; restore them or start a new run.",
            )
        self._merge.saw(tp, int(chunk.offsets[-1]) + 1)
        self._merge.pass_over(tp, chunk.without_record(unseen))
        index = np.flatnonzero(fresh & ~self._merge.journaled(tp, chunk.offsets))
        if len(index):
            self._take(Chunk(chunk.handle, chunk.partition, chunk.offsets[index], chunk.values.take(index)))

    def _take(self, chunk: Chunk) -> None:
        values = resolve(chunk.values)
        taken = self._intake.take(chunk._replace(values=values), self._merge.late_bound(chunk.tp))
        if values is not chunk.values:
            rows_of = np.searchsorted(chunk.offsets, [r.offset for r in taken.refused]).tolist()
            taken.refused = [as_it_came(r, chunk.values.row(row) or b"") for r, row in zip(taken.refused, rows_of, strict=True)]
        self._merge.add(chunk.tp, taken.rows or {}, taken.watermarks)
        self._merge.resolve(chunk.tp, np.array(taken.resolved, np.int64))
        self._refused.extend(taken.refused)
        self._refused_in_a_row = 0 if taken.rows is not None else self._refused_in_a_row + len(taken.refused)
        self._last_refused = taken.refused[-1] if taken.refused else self._last_refused

    def _stop_draining(self) -> None:
        """Too many refusals in a row: they are journaled by now, so that a restart goes on behind them."""
        last = self._last_refused
        assert last is not None
        raise Stop(
            Reason.TOO_MANY_REFUSALS,
            f"lane {self.name}: {self._refused_in_a_row} refusals in a row, last {last.reason.value}: {last.detail}",
            where=f"{last.handle}[{last.partition}]@{last.offset}",
            remedy="Find the producer of these records; the lane goes on behind them once it is restarted.",
        )

    def bootstrap(self, ends: Mapping[TopicPartition, int]) -> None:
        """What the inputs held when the lane started; see `Merge.read_first`."""
        self._merge.bootstrap(ends)

    def wants(self, tp: TopicPartition) -> bool:
        return self._refused_in_a_row <= REFUSALS_IN_A_ROW_MAX and self._merge.wants(tp)

    def finished(self) -> bool:
        """Every input ended and everything received is in the journal."""
        return self._merge.finished() and not self._refused

    def next_entry(self, wall_us: int) -> JournalEntry | None:
        refused = self._next_refused()
        taken = self._merge.take(self._rows_max)
        if taken is None and self._refused_in_a_row > REFUSALS_IN_A_ROW_MAX:
            self._stop_draining()
        if taken is None:
            return self._note(wall_us)
        columns = {f"row.{name}": column for name, column in (taken.columns or {}).items()}
        if refused:
            columns |= refused_columns(refused, self._handles)
        record = self._record(BATCH, wall_us, taken.ranges, taken.watermarks, rows(taken.columns or {}), columns)
        return JournalEntry(record.sequence, record.to_bytes(), record.rows)

    def _note(self, wall_us: int) -> JournalEntry | None:
        """An idle lane's records: one for changelog rows that wait for their time, then one that says all is out: code may change there."""
        said = self._recorded_through >= self._last_work and (self._noted or self._last_work < 0)  # a claim sends no rows
        if said or self._emitted_through < self._last_work:
            return None
        if 0 <= wall_us - self._last_wall_us < NOTE_AFTER_US:
            return None  # a clock that was set back counts as time that has passed
        record = self._record(BATCH, wall_us, [], [], 0, {})
        return JournalEntry(record.sequence, record.to_bytes(), 0)

    def _next_refused(self) -> list[RefusedRecord]:
        """The oldest refusals that fit one journal record; their offsets are covered by it."""
        n = fitting(self._refused, REFUSED_BYTES_MAX)
        refused, self._refused = self._refused[:n], self._refused[n:]
        for r in refused:
            self._merge.resolve((r.handle, r.partition), np.array([r.offset], np.int64))
        return refused

    def claim_entry(self, wall_us: int) -> JournalEntry:
        """A new writer's first record; other code makes it an UPGRADE, which is allowed only when nothing is unemitted."""
        kind = CLAIM if self.applied.last_code in (None, self.identity.code_digest) else UPGRADE
        self._claimed_epoch = self.applied.epoch + 1
        record = self._record(kind, wall_us, [], [], 0, {})
        return JournalEntry(record.sequence, record.to_bytes(), 0)

    _claimed_epoch = 0

    def _record(self, kind: str, wall_us: int, ranges: Any, watermarks: Any, count: int, columns: Columns) -> JournalRecord:
        sequence, self._next_sequence = self._next_sequence, self._next_sequence + 1
        identity = self.identity
        record = JournalRecord(
            identity.shard, self._claimed_epoch, sequence, kind, wall_us, self._emitted_through,
            identity.code_digest, identity.run_config_digest, ranges, watermarks, count, columns,
        )  # fmt: skip
        self._stands(record)
        return record

    def _stands(self, record: JournalRecord) -> None:
        """The newest record, made here or read at start: what it leaves for a note to say."""
        self._recorded_through, self._last_wall_us = record.emitted_through, record.wall_us
        if record.columns or record.ranges:
            self._noted, self._last_work = False, record.sequence
        elif record.kind == BATCH and not self._noted:
            self._noted, self._last_work = True, record.sequence

    # -- fold side: the only place where state changes

    def apply(self, value: bytes) -> LaneOutput:
        return self._apply(JournalRecord.from_bytes(value))

    def _apply(self, record: JournalRecord) -> LaneOutput:
        if not self.applied.take(record):
            return LaneOutput(())
        position = self.applied.position()
        self._applied.append((record.sequence, position))
        if record.kind not in (BATCH, RESULT):
            return LaneOutput(())
        batch = self._batch(record, position)
        handle = "handle" if record.kind == BATCH else "answer"
        # a record of marks and refusals alone has no columns; only what handles refusals sees it
        steps = self.steps if record.rows else [step for step in self.steps if getattr(step, "takes_no_rows", False)]
        called = [getattr(step, handle) for step in steps if hasattr(step, handle)]
        emissions = [emission for call in called for emission in call(batch) if len(emission.partitions)]
        return LaneOutput(emissions, batch.effects)

    def _batch(self, record: JournalRecord, position: Mapping[TopicPartition, int]) -> Batch:
        columns = {n[4:]: column for n, column in record.columns.items() if n.startswith("row.")}
        offsets = [(topic, partition, at) for (topic, partition), at in position.items()]
        context = Context(record.shard, record.epoch, record.sequence, record.wall_us, offsets)
        batch = Batch(columns, context, np.ones(record.rows, np.bool_))
        batch.dead_letters = {n[8:]: column for n, column in record.columns.items() if n.startswith("refused.")}
        return batch

    def fencing_check(self, sequence: int, between: Sequence[bytes]) -> bool:
        """Whether the record of this sequence counts although these records of other writers landed right before it."""
        reader = JournalReader(self.identity.shard, self._claimed_epoch, sequence - 1)
        try:
            accepted = [reader.accept(JournalRecord.from_bytes(value)) for value in between]
        except Stop:
            return False
        return not any(accepted)

    # -- recovery

    @property
    def emitted_through(self) -> int:
        """Outputs of this sequence and all before it are known to be out."""
        return self._emitted_through

    def state(self) -> dict[str, TableState]:
        """Everything folded, as named parts: views to be read before the next fold."""
        return parts_of(self.name, self.applied, self.steps)

    def restore(self, parts: Mapping[str, TableState]) -> None:
        """Take what `state` gave, once all its outputs were out. Raises Stop when a part does not fit, and changes nothing then."""
        self.applied, self.steps = restored(parts, self._make_steps, list(self.applied.coverage))
        self._committable, self._emitted_through = self.position(), self.applied.sequence
        self._last_work = self.applied.sequence  # changelog rows may wait in it

    def recover(self, value: bytes) -> None:
        """Fold the next record of the journal at start; outcomes that may be unemitted are kept.

        Raises Stop(RUN_CONFIG_MISMATCH) for a record of another policy: folded under this one it would decide otherwise.
        """
        record, before = JournalRecord.from_bytes(value), self.applied.sequence
        outcome = self._apply(record)
        if self.applied.sequence == before:
            return  # of a writer that had lost the lane: what it answered or emitted does not count either
        if record.run_config_digest != self.identity.run_config_digest:
            raise other_policy(self.name, record, self.identity.run_config_digest)
        self._stands(record)
        self.emitted(record.emitted_through)
        if record.sequence > self._emitted_through:
            self._tail.append((record, outcome))

    def unemitted(self) -> Sequence[tuple[int, LaneOutput]]:
        """After the last record: (sequence, outcome) still to be published, oldest first, and the merge starts here.

        May be called again when more records turned up before the claim.
        Raises Stop(CODE_DIGEST_MISMATCH) when that tail was journaled by other code.
        """
        self._merge.restore(self.applied.coverage, self.applied.watermarks)
        self._next_sequence = self.applied.sequence + 1
        # effects are unanswered while no RESULT follows: answers are journaled before the next batch
        asking = max((r.sequence for r, o in self._tail if o.effects), default=-1)
        answered = max((r.sequence for r, _ in self._tail if r.kind == RESULT), default=-1)
        tail: list[tuple[int, LaneOutput]] = []
        for record, outcome in self._tail:
            asked = outcome.effects if record.sequence == asking > answered else None
            left = outcome._replace(effects=asked._replace(ask_first=True) if asked else None)
            if not left.emissions and left.effects is None:
                continue
            if record.code_digest != self.identity.code_digest:
                raise other_code(self.name, record, self.identity.code_digest)
            tail.append((record.sequence, left))
        return tail

    def emitted(self, sequence: int) -> None:
        self._emitted_through = max(self._emitted_through, sequence)
        while self._applied and self._applied[0][0] <= sequence:
            self._committable = self._applied.popleft()[1]
        while self._tail and self._tail[0][0].sequence <= sequence:
            self._tail.popleft()

    def results_entry(self, results: EffectResults, wall_us: int) -> JournalEntry:
        columns: Columns = {f"row.{name}": column for name, column in results._asdict().items()}
        record = self._record(RESULT, wall_us, [], [], len(results.attempts), columns)
        return JournalEntry(record.sequence, record.to_bytes(), record.rows)

    def position(self) -> dict[TopicPartition, int]:
        return self.applied.position()

    def committable(self) -> dict[TopicPartition, int]:
        return dict(self._committable)

    def table(self, name: str) -> Any:
        """The projection of this name for the web view, None if this lane has no such table."""
        for step in self.steps:
            found = getattr(step, "tables", {}).get(name)
            if found is not None:
                return found
        return None
