"""Decision log and audit: a decision joined with what became of its action, appended once to a hash chain.

The segments are this lane's journal. Creating segment n is atomic and can succeed once, which keeps two writers apart;
its header carries the offsets it covers, so a restart reads the segments and goes on. A decision and its outcome share a
partition and its outcome comes later, so the join holds only decisions whose action is under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from assay.agents.audit_join import AuditJoin
from assay.agents.coverage import Coverage, runs
from assay.agents.output_progress import OutputProgress
from assay.agents.plans import Plans
from assay.agents.read_position import unread
from assay.agents.refusals import dead_letters
from assay.agents.specs import LaneSpec
from assay.agents.step import Chunk, EffectResults, Emission, JournalEntry, LaneOutput, TopicPartition
from assay.agents.taken import RefusedRecord
from assay.codecs.audit_segment import GENESIS, Bodies, Segment, bodies_of, read_segment, write_segment
from assay.codecs.columns import I64, Columns, Strings, concat, rows, take
from assay.codecs.digests import sha256_fixed, sha256_rows
from assay.codecs.partitioner import partitions_of
from assay.codecs.single_object import encoder_of, pins_body, resolve, split
from assay.contracts.errors import Stop
from assay.contracts.ids import AUDIT_ID_TAG
from assay.contracts.reasons import Reason

#: a segment is closed at this many records, or when its oldest has waited this long
RECORDS_MAX = 20_000
WAIT_MAX_US = 500_000
#: nothing more is fetched while this many pairs wait for a segment
READY_MAX = 4 * RECORDS_MAX
ACTION_ID = "decision.intent.action_id"


class AuditMachine:
    """The audit lane without I/O; see `Machine` in `agents/step.py`."""

    def __init__(self, spec: LaneSpec, plans: Plans, tps: Sequence[TopicPartition]) -> None:
        self.name = spec.name
        self._pins = plans.pins
        self._encoder = encoder_of("audit_record")
        (self._topic,) = spec.emits
        self._dead_letter = spec.dead_letter
        self._audit_partitions = plans.partitions[self._topic]
        self._tps = list(tps)
        self._coverage = {tp: Coverage() for tp in tps}
        self._next_unseen = dict.fromkeys(tps, 0)
        self._join = AuditJoin(plans.horizon_rows, pins_body(plans.pins.as_avro()))
        self._ready: deque[Columns] = deque()
        self._ready_rows = 0
        self._passed: dict[TopicPartition, list[I64]] = {}
        #: [topic, partition, first, last] of offsets that hold no record; they go into the next segment
        self._without_record: list[list[object]] = []
        self._orphans: list[tuple[str, int, int]] = []
        self._waiting_since: int | None = None
        self._next_sequence = self._next_audit = 0
        self._previous_written = self._previous_applied = GENESIS
        # segments made here and not folded yet: they are folded without reading them again
        self._written: deque[tuple[bytes, Segment]] = deque()
        self._progress = OutputProgress()
        self._tail: deque[tuple[int, LaneOutput]] = deque()

    # -- join

    def receive(self, chunk: Chunk) -> None:
        tp = chunk.tp
        part = unread(self.name, chunk, self._next_unseen[tp])
        if part is None:
            return
        self._next_unseen[tp] = part.next_offset
        coverage = self._coverage[tp]
        self._without_record += [[*tp, first, last] for run in part.without_record for first, last in coverage.missing(*run)]
        fresh = part.first + np.flatnonzero(~coverage.done(chunk.offsets[part.first :]))
        if not len(fresh):
            return
        mine = Chunk(chunk.handle, chunk.partition, chunk.offsets[fresh], resolve(chunk.values.take(fresh)))
        joined = self._join.take(mine, split(mine.values), self._tps.index(tp))
        if done := [offsets for offsets in (joined.passed, joined.orphans) if len(offsets)]:
            self._passed.setdefault(tp, []).extend(done)
        self._orphans += [(*tp, offset) for offset in joined.orphans.tolist()]
        if joined.pairs is not None:
            self._ready.append(joined.pairs)
            self._ready_rows += rows(joined.pairs)

    def bootstrap(self, ends: Mapping[TopicPartition, int]) -> None:
        """One input: there is nothing to read before it."""

    def wants(self, tp: TopicPartition) -> bool:
        return self._ready_rows < READY_MAX

    def waits_for(self) -> list[str]:
        """Its one input has no watermarks."""
        return []

    def finished(self) -> bool:
        """Nothing waits: every decision seen has its outcome in a segment."""
        return not (self._ready or self._orphans or self._join.waiting)

    # -- segments

    def next_entry(self, wall_us: int) -> JournalEntry | None:
        if not (self._ready or self._orphans or self._passed or self._without_record):
            return None  # repeats alone are worth a segment too: else the position would stand before them for ever
        if self._waiting_since is None:
            self._waiting_since = wall_us
        if self._ready_rows < RECORDS_MAX and 0 <= wall_us - self._waiting_since < WAIT_MAX_US:
            return None  # a clock that was set back must not keep the segment open until it has caught up
        self._waiting_since = None
        pairs = self._pop()
        orphans, self._orphans = self._orphans, []
        header = {
            "sequence": self._next_sequence,
            "previous": self._previous_written,
            "first_audit": self._next_audit,
            "recorded_at_us": wall_us,
            "emitted_through": self._progress.through,
            "ranges": self._ranges(pairs),
            "orphans": [list(orphan) for orphan in orphans],
            "run": self._pins.as_json(),
        }
        n = rows(pairs)
        value, segment = write_segment(header, self._records(pairs, wall_us) if n else Strings.of([]))
        self._next_sequence += 1
        self._next_audit += n
        self._previous_written = segment.digest
        self._written.append((value, segment))
        return JournalEntry(segment.sequence, value, n)

    def _pop(self) -> Columns:
        """The oldest pairs, at most a segment of them."""
        parts: list[Columns] = []
        room = RECORDS_MAX
        while self._ready and room:
            part = self._ready.popleft()
            if rows(part) > room:
                self._ready.appendleft(take(part, np.arange(room, rows(part))))
                part = take(part, np.arange(room))
            parts.append(part)
            room -= rows(part)
        self._ready_rows -= RECORDS_MAX - room
        return concat(parts) if parts else {}

    def _records(self, pairs: Columns, wall_us: int) -> Strings:
        n = rows(pairs)
        outcomes = pairs["outcome"]
        assert isinstance(outcomes, Strings)
        digests = np.hstack([np.asarray(pairs["sha256"]), sha256_rows(b"", outcomes.data, outcomes.starts, outcomes.lengths)])
        return self._encoder.encode({
            "audit_id": sha256_fixed(AUDIT_ID_TAG, digests),
            "sequence": np.arange(self._next_audit, self._next_audit + n, dtype=np.int64),
            "decision": pairs["decision"],
            "outcome": outcomes,
        }, {"recorded_at_utc": wall_us})  # fmt: skip

    def _ranges(self, pairs: Columns) -> list[list[object]]:
        done, self._passed = self._passed, {}
        for side in ("decision", "outcome") if pairs else ():
            numbers, offsets = np.asarray(pairs[f"{side}_place"]), np.asarray(pairs[f"{side}_offset"])
            for number in np.unique(numbers).tolist():
                done.setdefault(self._tps[number], []).append(offsets[numbers == number])
        empty, self._without_record = self._without_record, []
        covered = [
            [topic, partition, first, last]
            for (topic, partition), parts in sorted(done.items())
            for first, last in runs(np.concatenate(parts))
        ]
        return covered + empty

    # -- fold

    def apply(self, value: bytes) -> LaneOutput:
        segment: Segment | None = None
        while segment is None and self._written:
            made, written = self._written.popleft()
            segment = written if made is value else None
        segment = segment or read_segment(value)
        return self._fold(segment, bodies_of(segment.values))

    def _fold(self, segment: Segment, bodies: Bodies) -> LaneOutput:
        if segment.header["previous"] != self._previous_applied:
            raise Stop(
                Reason.AUDIT_CHAIN_BROKEN,
                f"audit segment {segment.sequence} does not follow the one before it",
                remedy="Run `assay audit verify`; it names the segment that was changed.",
            )
        self._previous_applied = segment.digest
        for topic, partition, first, last in segment.header["ranges"]:
            self._coverage[(topic, partition)].add(first, last)
        self._progress.folded(segment.sequence, self.position())
        keys = bodies.event_ids
        records = Emission(self._topic, partitions_of(keys, self._audit_partitions), keys, segment.values)
        return LaneOutput([emission for emission in (records, *self._dead_letters(segment)) if len(emission.partitions)])

    def recover(self, value: bytes) -> None:
        segment = read_segment(value)
        bodies = bodies_of(segment.values, frozenset({ACTION_ID}))
        outcome = self._fold(segment, bodies)
        held = bodies.decisions
        self._join.remember(np.asarray(bodies.decoded.columns[ACTION_ID]), sha256_rows(b"", held.data, held.starts, held.lengths))
        self.emitted(int(segment.header["emitted_through"]))
        self._next_sequence, self._previous_written = segment.sequence + 1, segment.digest
        self._next_audit = int(segment.header["first_audit"]) + len(segment.values.lengths)
        self._tail.append((segment.sequence, outcome))
        while self._tail and self._tail[0][0] <= self._progress.through:
            self._tail.popleft()

    def unemitted(self) -> Sequence[tuple[int, LaneOutput]]:
        self._next_unseen = self.position()
        tail = list(self._tail)
        self._tail.clear()
        self.emitted(self._progress.through)
        return tail

    def claim_entry(self, wall_us: int) -> JournalEntry | None:
        """None: creating a segment under the next sequence is what keeps writers apart."""
        return None

    def fencing_check(self, sequence: int, between: Sequence[bytes]) -> bool:
        """False: segments are created one after another, so nothing can be between two of one writer."""
        return False

    def results_entry(self, results: EffectResults, wall_us: int) -> JournalEntry:
        raise Stop(Reason.PRODUCE_FAILED, f"the audit lane has no effects, yet {len(results.attempts)} results at {wall_us}")

    def emitted(self, sequence: int) -> None:
        self._progress.emitted(sequence)

    def position(self) -> dict[TopicPartition, int]:
        return {tp: coverage.base for tp, coverage in self._coverage.items()}

    def committable(self) -> dict[TopicPartition, int]:
        return self._progress.committable()

    def table(self, name: str) -> Mapping[str, object] | None:
        """The audit lane keeps no projection."""
        return None

    def _dead_letters(self, segment: Segment) -> list[Emission]:
        """Outcomes of no known decision."""
        reason, what = Reason.OUTCOME_WITHOUT_DECISION, "no decision asked for this action"
        orphans = [
            RefusedRecord(topic, partition, offset, reason, what, b"") for topic, partition, offset in segment.header.get("orphans", [])
        ]
        return dead_letters(self._dead_letter, orphans, int(segment.header["recorded_at_us"]))
