"""A lane as a pure machine: steps in one ordered loop over the same state, in the order journal → outputs → commit.

`next_entry` fixes the processing order and makes the journal record; `apply` folds a journal record and is the only way to change
state. A live worker, a recovering worker and a replay run the same code over the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay.agents.applied_position import AppliedPosition
from assay.agents.batch import Context, LaneIdentity, WiredStep
from assay.agents.journal import JournalReader, other_code, other_layout, other_policy
from assay.agents.lane_input import LaneInput
from assay.agents.lane_state import parts_of, restored
from assay.agents.output_progress import OutputProgress
from assay.agents.own_records import OwnRecords
from assay.agents.refusals import refused_columns, refused_records
from assay.agents.step import Chunk, EffectResults, JournalEntry, LaneOutput, TopicPartition
from assay.agents.step_chain import StepChain
from assay.codecs.column_block import Block
from assay.codecs.columns_bytes import block_of
from assay.codecs.journal_record import BATCH, CLAIM, REFUSED, RESULT, ROW, TICK, UPGRADE, JournalRecord, no_columns
from assay.codecs.table_state import TableState
from assay.contracts.errors import Stop

#: an idle lane records that its outputs are out after this long
NOTE_AFTER_US = 1_000_000


class LaneMachine:
    """The machine (see `agents/step.py`) of a lane with several inputs and a chain of steps.

    `columns` are the columns that a journal record holds; another set is refused. `make_steps` makes the steps without state.
    """

    def __init__(
        self,
        identity: LaneIdentity,
        given: LaneInput,
        columns: Sequence[str],
        dead_letter: str,
        make_steps: Callable[[], Sequence[WiredStep]],
        rows_max: int,
    ) -> None:
        self.name = identity.lane.lane
        self.identity = identity
        self._input = given
        self._columns = frozenset(columns)
        self._make_steps = make_steps
        self._dead_letter = dead_letter
        self._chain = self._chain_of(make_steps())
        self._rows_max = rows_max
        self.applied = AppliedPosition(identity.shard, given.tps)
        self._progress = OutputProgress()
        self._next_sequence = self._claimed_epoch = 0
        self._recorded_through = self._last_work = -1
        self._last_wall_us = 0
        #: the newest time at which a record was written that is in here, by its writer's clock
        self._written_us = 0
        self._noted = False
        self._own = OwnRecords()
        self._tail: deque[tuple[JournalRecord, LaneOutput]] = deque()
        #: when the next held row is due, and the tick that was journaled for it and is not folded yet
        self._release_us: int | None = None
        self._ticked = -1

    def _chain_of(self, steps: Sequence[WiredStep]) -> StepChain:
        return StepChain(self.name, steps, self._input.handles, self._dead_letter)

    # -- input side: fetched records, and the order they fold in

    def receive(self, chunk: Chunk) -> None:
        self._written_us = max(self._written_us, chunk.newest_ms * 1_000)
        self._input.receive(chunk)

    def bootstrap(self, ends: Mapping[TopicPartition, int]) -> None:
        self._input.bootstrap(ends)

    def wants(self, tp: TopicPartition) -> bool:
        return self._input.wants(tp)

    def waits_for(self) -> list[str]:
        return self._input.waits_for()

    def finished(self) -> bool:
        """Every input ended, everything received is in the journal, and no row is held."""
        return self._input.finished() and self._release_us is None

    def next_entry(self, wall_us: int) -> JournalEntry | None:
        refused, taken = self._input.next(self._rows_max)
        if taken is None:
            return self._tick(wall_us) or self._note(wall_us)
        block = taken.rows or no_columns()
        n = block.rows
        if refused:
            more = refused_columns(refused, self._input.handles)
            block = block_of({**block.columns(), **{REFUSED + name: column for name, column in more.items()}})
        return self._entry(self._record(BATCH, self._not_before(wall_us), taken.ranges, taken.watermarks, n, block))

    def _not_before(self, wall_us: int) -> int:
        """The time of what is decided: this machine's, but nothing is decided before it was admitted, whatever its clock says."""
        return max(wall_us, self._written_us)

    def _tick(self, wall_us: int) -> JournalEntry | None:
        """Wall time as a journal record, while a held row is due: the fold has no other clock."""
        due = self._release_us
        if due is None or wall_us < due or self._ticked > self.applied.sequence:
            return None
        record = self._record(TICK, self._not_before(wall_us), [], [], 0, no_columns())
        self._ticked = record.sequence
        return self._entry(record)

    def _note(self, wall_us: int) -> JournalEntry | None:
        """Records of an idle lane: one for changelog rows that wait for their time, one that says all is out, where code may change."""
        said = self._recorded_through >= self._last_work and (self._noted or self._last_work < 0)  # a claim sends no rows
        if said or self._progress.through < self._last_work:
            return None
        if 0 <= wall_us - self._last_wall_us < NOTE_AFTER_US:
            return None  # a clock that was set back counts as time that has passed
        return self._entry(self._record(BATCH, wall_us, [], [], 0, no_columns()))

    def claim_entry(self, wall_us: int) -> JournalEntry:
        """The first record of a new writer; other code makes it an UPGRADE, which is allowed only when nothing is unemitted."""
        kind = CLAIM if self.applied.last_code in (None, self.identity.code_digest) else UPGRADE
        self._claimed_epoch = self.applied.epoch + 1
        return self._entry(self._record(kind, wall_us, [], [], 0, no_columns()))

    def results_entry(self, results: EffectResults, wall_us: int) -> JournalEntry:
        block = block_of({ROW + name: column for name, column in results._asdict().items()})
        return self._entry(self._record(RESULT, self._not_before(wall_us), [], [], len(results.attempts), block))

    def _record(self, kind: str, wall_us: int, ranges: Any, watermarks: Any, count: int, block: Block) -> JournalRecord:
        sequence, self._next_sequence = self._next_sequence, self._next_sequence + 1
        identity = self.identity
        record = JournalRecord(
            identity.shard, self._claimed_epoch, sequence, kind, wall_us, self._progress.through,
            identity.code_digest, identity.run_config_digest, ranges, watermarks, count, block,
        )  # fmt: skip
        self._stands(record)
        return record

    def _entry(self, record: JournalRecord) -> JournalEntry:
        value = record.to_bytes()
        self._own.keep(value, record)
        return JournalEntry(record.sequence, value, record.rows)

    def _stands(self, record: JournalRecord) -> None:
        """The newest record, made here or read at start: it decides whether an idle lane has something to note."""
        self._recorded_through, self._last_wall_us = record.emitted_through, record.wall_us
        if record.block.layout.entries or record.ranges or record.kind == TICK:
            self._noted, self._last_work = False, record.sequence
        elif record.kind == BATCH and not self._noted:
            self._noted, self._last_work = True, record.sequence

    # -- fold side: the only place where state changes

    def apply(self, value: bytes) -> LaneOutput:
        """Fold a record of the journal. A record that was made here is not read again: its columns are views of the bytes in `value`.

        So state and output are a function of the journal's bytes, whoever wrote them.
        """
        return self._apply(self._own.of(value) or JournalRecord.from_bytes(value))

    def _apply(self, record: JournalRecord) -> LaneOutput:
        if not self.applied.take(record):
            return LaneOutput(())
        position = self.applied.position()
        self._progress.folded(record.sequence, position)
        if record.kind in (CLAIM, UPGRADE):
            return LaneOutput(())
        columns = record.block.within(ROW)
        offsets = [(topic, partition, at) for (topic, partition), at in position.items()]
        context = Context(record.shard, record.epoch, record.sequence, record.wall_us, offsets, self.applied.watermark_us)
        if record.kind == RESULT:
            return self._chain.answer(columns, record.rows, context)._replace(wall_us=record.wall_us)
        if record.rows and columns.keys() != self._columns:
            raise other_layout(self.name, record, columns)
        refused = refused_records(record.block.within(REFUSED), self._input.handles)
        output = self._chain.handle(columns, record.rows, context, refused)
        self._release_us = self._chain.release_us()
        return output._replace(wall_us=record.wall_us)

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
        return self._progress.through

    def state(self) -> dict[str, TableState]:
        """Everything folded, as named parts: views to be read before the next fold."""
        return parts_of(self.name, self.applied, self._chain.steps)

    def restore(self, parts: Mapping[str, TableState]) -> None:
        """Take a state that `state` gave, once all its outputs were out. Raises Stop when a part does not fit, and changes nothing then."""
        self.applied, steps = restored(self.identity.lane, parts, self._make_steps, self._input.tps)
        self._chain = self._chain_of(steps)
        self._own = OwnRecords()
        self._release_us = self._chain.release_us()
        self._progress.restored(self.applied.sequence, self.position())
        self._last_work = self.applied.sequence  # changelog rows may wait in it

    def recover(self, value: bytes) -> None:
        """Fold the next record of the journal at start; outputs that may be unemitted are kept.

        Raises Stop(RUN_CONFIG_MISMATCH) for a record of another policy: folded under this one it would decide otherwise.
        """
        record, before = JournalRecord.from_bytes(value), self.applied.sequence
        output = self._apply(record)
        if self.applied.sequence == before:
            return  # of a writer that had lost the lane: its answers and outputs do not count either
        if record.run_config_digest != self.identity.run_config_digest:
            raise other_policy(self.name, record, self.identity.run_config_digest)
        self._stands(record)
        self.emitted(record.emitted_through)
        if record.sequence > self.emitted_through:
            self._tail.append((record, output))

    def unemitted(self) -> Sequence[tuple[int, LaneOutput]]:
        """After the last record: (sequence, output) still to be published, oldest first, and the input starts here.

        May be called again when more records turned up before the claim.
        Raises Stop(CODE_DIGEST_MISMATCH) when that tail was journaled by other code.
        """
        self._input.restore(self.applied.coverage, self.applied.watermarks)
        self._next_sequence = self.applied.sequence + 1
        self._ticked = -1
        # effects are unanswered while no RESULT follows: answers are journaled before the next batch
        asking = max((r.sequence for r, o in self._tail if o.effects), default=-1)
        answered = max((r.sequence for r, _ in self._tail if r.kind == RESULT), default=-1)
        tail: list[tuple[int, LaneOutput]] = []
        for record, output in self._tail:
            asked = output.effects if record.sequence == asking > answered else None
            left = output._replace(effects=asked._replace(ask_first=True) if asked else None)
            if not left.emissions and left.effects is None:
                continue
            if record.code_digest != self.identity.code_digest:
                raise other_code(self.name, record, self.identity.code_digest)
            tail.append((record.sequence, left))
        return tail

    def emitted(self, sequence: int) -> None:
        self._progress.emitted(sequence)
        while self._tail and self._tail[0][0].sequence <= sequence:
            self._tail.popleft()

    def position(self) -> dict[TopicPartition, int]:
        return self.applied.position()

    def committable(self) -> dict[TopicPartition, int]:
        return self._progress.committable()

    def table(self, name: str) -> Any:
        """The table of this name for people, None if this lane has no such table."""
        return dict(self._chain.tables()).get(name)
