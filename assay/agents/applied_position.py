"""The applied position of a lane: journal record and epoch, the covered input offsets, the watermarks, and the code that wrote last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.agents.coverage import Coverage
from assay.agents.journal import JournalReader
from assay.agents.merge import START_OF_TIME
from assay.agents.step import TopicPartition
from assay.codecs.journal_record import JournalRecord


class AppliedPosition:
    """A fold of journal records without their rows. `last_code` is None before the first record."""

    def __init__(self, shard: int, tps: Sequence[TopicPartition]) -> None:
        self.reader = JournalReader(shard)
        self.coverage = {tp: Coverage() for tp in tps}
        self.watermarks: dict[TopicPartition, int] = {}
        self.last_code: bytes | None = None

    @property
    def sequence(self) -> int:
        """The last record folded, -1 before the first."""
        return self.reader.sequence

    @property
    def epoch(self) -> int:
        """The epoch of the writer that counts."""
        return self.reader.epoch

    def take(self, record: JournalRecord) -> bool:
        """Whether the record counts; if so it is folded. Raises Stop(JOURNAL_SEQUENCE_GAP)."""
        if not self.reader.accept(record):
            return False
        self.last_code = record.code_digest
        for topic, partition, first, last in record.ranges:
            self.coverage[(topic, partition)].add(first, last)
        for topic, partition, ts_us in record.watermarks:
            self.watermarks[(topic, partition)] = max(ts_us, self.watermarks.get((topic, partition), ts_us))
        return True

    @property
    def watermark_us(self) -> int:
        """Event time that every input has passed: all rows before it are folded. `START_OF_TIME` until every input has a watermark."""
        return min((self.watermarks.get(tp, START_OF_TIME) for tp in self.coverage), default=START_OF_TIME)

    def position(self) -> dict[TopicPartition, int]:
        """Next offset per input partition that is not covered."""
        return {tp: coverage.base for tp, coverage in self.coverage.items()}

    def as_json(self) -> dict[str, Any]:
        """Everything above as canonical JSON."""
        return {
            "shard": self.reader.shard,
            "epoch": self.reader.epoch,
            "sequence": self.reader.sequence,
            "last_code": None if self.last_code is None else self.last_code.hex(),
            "coverage": [[*tp, held.base, [list(run) for run in held.acknowledged]] for tp, held in sorted(self.coverage.items())],
            "marks": [[*tp, ts_us] for tp, ts_us in sorted(self.watermarks.items())],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], tps: Sequence[TopicPartition]) -> AppliedPosition:
        """The inverse of `as_json`, in the order of these places, which is that of a decision's basis.

        Raises ValueError when it speaks of other places.
        """
        if {(topic, partition) for topic, partition, _, _ in value["coverage"]} != set(tps):
            raise ValueError("it has read other topics or partitions")
        folded = cls(value["shard"], tps)
        folded.reader.epoch, folded.reader.sequence = value["epoch"], value["sequence"]
        folded.last_code = None if value["last_code"] is None else bytes.fromhex(value["last_code"])
        for topic, partition, base, acknowledged in value["coverage"]:
            held = folded.coverage[(topic, partition)]
            held.base, held.acknowledged = base, [(first, last) for first, last in acknowledged]
        folded.watermarks = {(topic, partition): ts_us for topic, partition, ts_us in value["marks"]}
        return folded
