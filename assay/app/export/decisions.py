"""Export of a run's decisions: the journal is folded on from where the last export ended, and what it gives is added to a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

from assay.agents.journal import other_policy, out_of_reach
from assay.agents.lane import LaneMachine
from assay.agents.step import LaneOutput
from assay.app.export.folder import ExportFolder
from assay.app.export.frames import DecisionFrames, label_frame, no_labels
from assay.app.export.payments import Payments, with_payments
from assay.app.journal.reading import HeldJournal
from assay.app.progress import unseen
from assay.app.snapshots.starting import restore
from assay.codecs.columns import Strings, concat
from assay.codecs.journal_record import ROW, JournalRecord
from assay.contracts.errors import Stop
from assay.contracts.handles import RTDL
from assay.tables.feature_plan import FeaturePlan

#: a part is closed at this many rows, so memory holds no more of them
PART_ROWS = 100_000


_FROM_KEPT = "The journal was truncated. --from-kept exports the decisions behind its oldest snapshot, into a folder of their own."


class Exported(NamedTuple):
    """What a call added. `first` and `end` are journal offsets, `other_code` counts records that other code journaled."""

    decisions: int
    labels: int
    first: int
    end: int
    other_code: int


class _Part:
    """Rows that wait to be written."""

    def __init__(self, first: int) -> None:
        self.first = self.end = first
        self.decisions: list[Strings] = []
        self.labels: list[pl.DataFrame] = []
        self.decided = self.rows = 0

    def take(self, record: JournalRecord, output: LaneOutput) -> None:
        """Keep the decisions and labels of a journal record."""
        decided = [emission.values for emission in output.emissions if emission.handle == RTDL]
        labels = label_frame(record.block.within(ROW), record.sequence) if record.rows else no_labels()
        self.decisions += decided
        self.labels += [labels] if labels.height else []
        self.decided += sum(len(values.lengths) for values in decided)
        self.rows = self.decided + sum(frame.height for frame in self.labels)


def export(
    journal: HeldJournal,
    plan: FeaturePlan,
    folder: ExportFolder,
    payments: Payments,
    part_rows: int = PART_ROWS,
    progress: Callable[[int], None] = unseen,
    *,
    from_kept: bool = False,
) -> Exported:
    """Add all that the journal holds beyond the folder's watermark. `payments` gives what decisions do not hold of their payments,
    `progress` gets the number of decisions so far. `from_kept`: a new folder begins where the fold of a truncated journal can begin.

    Labels are told apart by their own ids: one that was sent again is exported once. Raises Stop(EXPORT_UNFIT, JOURNAL_OUT_OF_REACH,
    RUN_CONFIG_MISMATCH) and what folding a journal raises.
    """
    watermark = folder.open(lambda: _kept_from(journal) if from_kept else 0)
    if watermark > journal.end:
        raise out_of_reach(journal.topic, watermark, journal.first, journal.end)
    return _Export(journal, plan, folder, payments, part_rows, progress).run(watermark)


class _Export:
    def __init__(
        self,
        journal: HeldJournal,
        plan: FeaturePlan,
        folder: ExportFolder,
        payments: Payments,
        part_rows: int,
        progress: Callable[[int], None],
    ) -> None:
        self._journal, self._folder, self._part_rows, self._progress = journal, folder, part_rows, progress
        self._payments = payments
        self._frames = DecisionFrames(plan)
        self._known_labels = folder.known_labels()
        self._decisions = self._labels = self._other_code = 0

    def run(self, watermark: int) -> Exported:
        lane = self._journal.new_lane()
        part, committed = _Part(watermark), watermark
        for offset, value in self._journal.entries(_start(self._journal, lane, watermark)):
            record, before = JournalRecord.from_bytes(value), lane.applied.sequence
            output = lane.apply(value)
            lane.emitted(record.sequence)
            if offset < watermark or lane.applied.sequence == before:
                continue  # exported already, or of a writer that had lost the lane
            if record.run_config_digest != self._journal.run_config_digest:
                raise other_policy(lane.name, record, self._journal.run_config_digest)
            self._other_code += record.code_digest != lane.identity.code_digest
            part.end = offset + 1
            part.take(record, output)
            self._progress(self._decisions + part.decided)
            if part.rows >= self._part_rows:
                committed, part = self._commit(part), _Part(part.end)
        if part.rows:
            committed = self._commit(part)
        return Exported(self._decisions, self._labels, watermark, committed, self._other_code)

    def _commit(self, part: _Part) -> int:
        decisions = with_payments(self._frames.of(joined(part.decisions)), self._payments)
        told = pl.concat([no_labels(), *part.labels]).unique("label_event_id", keep="first", maintain_order=True)
        labels = told.join(self._known_labels, on="label_event_id", how="anti", maintain_order="left")
        self._known_labels = pl.concat([self._known_labels, labels.select("label_event_id")])
        self._folder.commit(part.first, part.end, decisions, labels)
        self._decisions += decisions.height
        self._labels += labels.height
        return part.end


def joined(parts: Sequence[Strings]) -> Strings:
    """The values of all parts, one after another."""
    together = concat([{"value": part} for part in (Strings.of([]), *parts)])["value"]
    assert isinstance(together, Strings)
    return together


def _start(journal: HeldJournal, lane: LaneMachine, watermark: int) -> int:
    """Bring the lane to where its fold can begin, as near to the watermark as a snapshot allows; the offset to read from."""
    for found in journal.snapshots().found():
        manifest = found.manifest
        if manifest is not None and journal.first <= manifest.next_offset <= watermark:
            try:
                restore(lane, journal.snapshots(), manifest)
            except Stop:
                continue
            return manifest.next_offset
    if journal.first:
        raise out_of_reach(journal.topic, watermark, journal.first, journal.end, _FROM_KEPT)
    return 0


def _kept_from(journal: HeldJournal) -> int:
    """The first offset whose decisions can still be computed: behind the oldest snapshot of a truncated journal."""
    oldest = journal.oldest_start(journal.new_lane())
    return 0 if oldest is None else oldest.next_offset
