"""A lane's write-ahead log of processing order: one record, its bytes, and the rules for reading a whole journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from assay.codecs.columns import Columns
from assay.codecs.columns_bytes import columns_from_bytes, columns_to_bytes
from assay.codecs.single_object import pack, unpack
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

#: rows in processing order; wall time while rows are held; answers of effectors; a new writer; a new writer with other code
BATCH, TICK, RESULT, CLAIM, UPGRADE = "BATCH", "TICK", "RESULT", "CLAIM", "UPGRADE"


@dataclass(frozen=True)
class JournalRecord:
    """One entry. `ranges` are (topic, partition, first, last), `marks` (topic, partition, ts_us)."""

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
        return pack("journal_record", {
            "shard": self.shard, "epoch": self.epoch, "sequence": self.sequence, "kind": self.kind,
            "wall_time_utc": self.wall_us, "emitted_through": self.emitted_through,
            "code_digest": self.code_digest, "run_config_digest": self.run_config_digest,
            "ranges": [{"topic": t, "partition": p, "first": a, "last": z} for t, p, a, z in self.ranges],
            "marks": [{"topic": t, "partition": p, "ts_utc": ts} for t, p, ts in self.watermarks],
            "rows": self.rows, "columns": columns_to_bytes(self.columns),
        })  # fmt: skip

    @classmethod
    def from_bytes(cls, value: bytes) -> JournalRecord:
        """Raises Stop(JOURNAL_UNREADABLE) for anything that is not a journal record."""
        try:
            name, r = unpack(value)
            columns = columns_from_bytes(r["columns"]) if name == "journal_record" else {}
        except Quarantine as refused:
            raise Stop(Reason.JOURNAL_UNREADABLE, f"a journal holds what is no record: {refused}") from refused
        if name != "journal_record":
            raise Stop(Reason.JOURNAL_UNREADABLE, f"a journal holds a record of type {name}")
        return cls(
            r["shard"], r["epoch"], r["sequence"], r["kind"], r["wall_time_utc"], r["emitted_through"],
            r["code_digest"], r["run_config_digest"],
            [(x["topic"], x["partition"], x["first"], x["last"]) for x in r["ranges"]],
            [(x["topic"], x["partition"], x["ts_utc"]) for x in r["marks"]],
            r["rows"], columns,
        )  # fmt: skip


@dataclass
class JournalReader:
    """Follows a journal: contiguous sequences, and no record of an epoch that a later claim has ended.

    `accept` gives False for a record of a superseded epoch (its writer had lost the lane) and for a claim that did not know
    the records before it, another's claim of the same epoch among them (its writer sees an unexpected offset and stops). It
    raises Stop(JOURNAL_SEQUENCE_GAP) when a record is missing.
    """

    shard: int = 0
    epoch: int = 0
    sequence: int = -1

    def accept(self, record: JournalRecord) -> bool:
        """Whether this record counts; moves to it if so."""
        if record.kind in (CLAIM, UPGRADE):
            if record.epoch <= self.epoch or record.sequence <= self.sequence:
                return False
            self.epoch = record.epoch
        elif record.epoch != self.epoch:
            if record.epoch < self.epoch:
                return False
            raise Stop(
                Reason.JOURNAL_SEQUENCE_GAP,
                f"journal of shard {self.shard}: epoch {record.epoch} writes without a claim after epoch {self.epoch}",
            )
        if record.sequence != self.sequence + 1:
            raise Stop(
                Reason.JOURNAL_SEQUENCE_GAP,
                f"journal of shard {self.shard}: sequence {record.sequence} follows {self.sequence}",
                remedy="The journal was altered or truncated; restore it from the archive before starting this lane.",
            )
        self.sequence = record.sequence
        return True


def other_code(lane: str, record: JournalRecord, digest: bytes) -> Stop:
    """A tail of other code: what this code would emit of it may differ from what is out."""
    return Stop(
        Reason.CODE_DIGEST_MISMATCH,
        f"lane {lane}: records from {record.sequence} on are not emitted and were journaled by code "
        f"{record.code_digest.hex()[:12]}, this worker is {digest.hex()[:12]}",
        remedy="Start the worker version that wrote them once; it finishes the tail, then upgrade.",
    )


def other_policy(lane: str, record: JournalRecord, digest: bytes) -> Stop:
    """A record of another policy: folded under this one it decides otherwise."""
    return Stop(
        Reason.RUN_CONFIG_MISMATCH,
        f"lane {lane}: record {record.sequence} was journaled under run config {record.run_config_digest.hex()[:12]}, "
        f"this run has {digest.hex()[:12]}",
        remedy="A feature, rule or policy of the run was changed: put it back, or start a new run with it.",
    )


def other_layout(lane: str, record: JournalRecord, columns: Iterable[str]) -> Stop:
    """A record that holds other columns than the steps of this code read."""
    return Stop(
        Reason.LAYOUT_UNSUPPORTED,
        f"lane {lane}: record {record.sequence} holds the columns {', '.join(sorted(columns))}, this version reads others",
        remedy="The run was begun by another version of assay: go on with that version, or start a new run.",
    )
