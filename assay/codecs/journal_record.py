"""The bytes of a journal record: Avro around one block of columns.

A lane's journal is its write-ahead log: a record fixes the processing order of its rows before they are folded.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.codecs.columns import Columns
from assay.codecs.columns_bytes import columns_block, columns_from_bytes
from assay.codecs.single_object import record_type, unpack
from assay.codecs.varint import text, varint
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

#: rows in processing order; wall time while rows are held; answers of effectors; a new writer; a new writer with other code
BATCH, TICK, RESULT, CLAIM, UPGRADE = "BATCH", "TICK", "RESULT", "CLAIM", "UPGRADE"


@dataclass(frozen=True)
class JournalRecord:
    """One record. `ranges` are (topic, partition, first, last), `watermarks` (topic, partition, ts_us), times are microseconds."""

    shard: int
    epoch: int
    sequence: int
    kind: str
    wall_us: int
    emitted_through: int
    code_digest: bytes
    run_config_digest: bytes
    ranges: list[tuple[str, int, int, int]] = field(default_factory=list)
    watermarks: list[tuple[str, int, int]] = field(default_factory=list)
    rows: int = 0
    columns: Columns = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Avro single-object bytes."""
        size, block = columns_block(self.columns)
        return b"".join((
            record_type("journal_record").header, varint(self.shard), varint(self.epoch), varint(self.sequence), text(self.kind),
            varint(self.wall_us), varint(self.emitted_through), self.code_digest, self.run_config_digest,
            _array([text(topic) + varint(partition) + varint(first) + varint(last) for topic, partition, first, last in self.ranges]),
            _array([text(topic) + varint(partition) + varint(ts_us) for topic, partition, ts_us in self.watermarks]),
            varint(self.rows), varint(size), *block,
        ))  # fmt: skip

    @classmethod
    def from_bytes(cls, value: bytes) -> JournalRecord:
        """Raises Stop(JOURNAL_UNREADABLE) for anything that is not a journal record."""
        try:
            name, r = unpack(value)
            columns = columns_from_bytes(r["columns"]) if name == "journal_record" else {}
        except Quarantine as refused:
            raise Stop(Reason.JOURNAL_UNREADABLE, f"a value of the journal cannot be decoded: {refused}") from refused
        if name != "journal_record":
            raise Stop(Reason.JOURNAL_UNREADABLE, f"a journal holds a record of type {name}")
        return cls(
            r["shard"], r["epoch"], r["sequence"], r["kind"], r["wall_time_utc"], r["emitted_through"],
            r["code_digest"], r["run_config_digest"],
            [(x["topic"], x["partition"], x["first"], x["last"]) for x in r["ranges"]],
            [(x["topic"], x["partition"], x["ts_utc"]) for x in r["marks"]],
            r["rows"], columns,
        )  # fmt: skip


def _array(items: list[bytes]) -> bytes:
    """An Avro array of these items, in one block."""
    return b"".join((varint(len(items)), *items, b"\0")) if items else b"\0"
