"""What a journal holds, epoch by epoch, and what is wrong with it: a fold of its records without their rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from assay.agents.coverage import Coverage
from assay.agents.journal import JournalReader
from assay.agents.step import LaneId, TopicPartition
from assay.app.journal.reading import StoredRecord
from assay.codecs.journal_record import CLAIM, UPGRADE, JournalRecord
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

FINDINGS_MAX = 100


class Finding(NamedTuple):
    """Something wrong: its code, and where and what."""

    reason: Reason
    text: str

    @property
    def line(self) -> str:
        """For people."""
        return f"{self.reason.value}: {self.text}"


@dataclass
class Epoch:
    """The records of one writer. `began` is CLAIM, UPGRADE, or empty for a journal whose head is gone."""

    number: int
    began: str
    first_sequence: int
    first_offset: int
    last_sequence: int = -1
    last_offset: int = -1
    records: int = 0
    rows: int = 0
    bytes: int = 0
    codes: set[str] = field(default_factory=set)


@dataclass
class Survey:
    """All epochs of a lane's journal, records of writers that had lost the lane, the inputs covered, and findings.

    `reader` has read the records before the first; without it the first record there is says where the journal goes on.
    """

    lane: LaneId
    run_config_digest: bytes
    reader: JournalReader | None = None
    epochs: list[Epoch] = field(default_factory=list)
    superseded: int = 0
    emitted_through: int = -1
    covered: dict[TopicPartition, Coverage] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, entry: StoredRecord) -> bool:
        """Fold one record; whether it counts."""
        try:
            record = JournalRecord.from_bytes(entry.value)
        except Stop as refused:
            self._find(Reason.JOURNAL_UNREADABLE, f"offset {entry.offset}: {refused.what}")
            return False
        if not self._accepts(record, entry.offset):
            self.superseded += 1
            return False
        if record.run_config_digest != self.run_config_digest:
            self._find(
                Reason.RUN_CONFIG_MISMATCH, f"record {record.sequence} has run config {record.run_config_digest.hex()[:12]}, not the run's"
            )
        self._note(record, entry)
        for handle, partition, first, last in record.ranges:
            self._cover((handle, partition), first, last, record.sequence)
        return True

    def _accepts(self, record: JournalRecord, offset: int) -> bool:
        if self.reader is None:  # the head may be gone: the first record there is says where it goes on
            whole = offset == 0
            self.reader = JournalReader(self.lane.shard, 0 if whole else record.epoch, -1 if whole else record.sequence - 1)
            if not whole and record.kind in (CLAIM, UPGRADE):
                self.reader.epoch -= 1
        try:
            return self.reader.accept(record)
        except Stop as refused:
            self._find(refused.reason, f"offset {offset}: {refused.what}")
            if record.shard != self.lane.shard:
                return False
            self.reader.epoch, self.reader.sequence = record.epoch, record.sequence
            return True

    def _note(self, record: JournalRecord, entry: StoredRecord) -> None:
        if not self.epochs or self.epochs[-1].number != record.epoch:
            began = record.kind if record.kind in (CLAIM, UPGRADE) else ""
            self.epochs.append(Epoch(record.epoch, began, record.sequence, entry.offset))
        epoch = self.epochs[-1]
        epoch.last_sequence, epoch.last_offset = record.sequence, entry.offset
        epoch.records += 1
        epoch.rows += record.rows
        epoch.bytes += len(entry.value)
        epoch.codes.add(record.code_digest.hex()[:12])
        self.emitted_through = max(self.emitted_through, record.emitted_through)

    def _cover(self, tp: TopicPartition, first: int, last: int, sequence: int) -> None:
        coverage = self.covered.setdefault(tp, Coverage())
        if coverage.missing(first, last) != [(first, last)]:
            self._find(Reason.JOURNAL_RANGES_OVERLAP, f"record {sequence} covers {tp[0]}[{tp[1]}] {first} to {last} once more")
        coverage.add(first, last)

    def _find(self, reason: Reason, text: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(reason, text))


def surveyed(entries: Iterable[StoredRecord], lane: LaneId, run_config_digest: bytes, reader: JournalReader | None = None) -> Survey:
    """The survey of all these records of a lane's journal."""
    survey = Survey(lane, run_config_digest, reader)
    for entry in entries:
        survey.add(entry)
    return survey
