"""The bytes of a journal record: Avro around one block of columns.

A lane's journal is its write-ahead log: a record fixes the processing order of its rows before they are folded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from assay.codecs.avro_cursor import Cursor
from assay.codecs.column_block import Block
from assay.codecs.columns import Columns
from assay.codecs.columns_bytes import block_in, block_of
from assay.codecs.single_object import HEADER_BYTES, pack, record_type, unpack
from assay.codecs.varint import text, varint
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

NAME = "journal_record"
#: rows in processing order; wall time while rows are held; answers of effectors; a new writer; a new writer with other code
BATCH, TICK, RESULT, CLAIM, UPGRADE = "BATCH", "TICK", "RESULT", "CLAIM", "UPGRADE"
#: names of columns begin with this: columns of rows, columns of refused records
ROW, REFUSED = "row.", "refused."


@cache
def no_columns() -> Block:
    """The block of a record without columns. A command that reads no journal must not load a kernel, so it is made when it is asked for."""
    return block_of({})


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
    block: Block = field(default_factory=no_columns)

    @property
    def columns(self) -> Columns:
        """All columns, made anew: views of the block."""
        return self.block.columns()

    def to_bytes(self) -> bytes:
        """Avro single-object bytes."""
        return b"".join((
            record_type(NAME).header, varint(self.shard), varint(self.epoch), varint(self.sequence), text(self.kind),
            varint(self.wall_us), varint(self.emitted_through), self.code_digest, self.run_config_digest,
            _array([text(topic) + varint(partition) + varint(first) + varint(last) for topic, partition, first, last in self.ranges]),
            _array([text(topic) + varint(partition) + varint(ts_us) for topic, partition, ts_us in self.watermarks]),
            varint(self.rows), varint(len(self.block.whole)), self.block.whole.data,
        ))  # fmt: skip

    @classmethod
    def from_bytes(cls, value: bytes) -> JournalRecord:
        """Raises Stop(JOURNAL_UNREADABLE) for anything that is not a journal record."""
        try:
            return cls._read(value)
        except Quarantine as refused:
            raise Stop(Reason.JOURNAL_UNREADABLE, f"a value of the journal cannot be decoded: {refused}") from refused

    @classmethod
    def _read(cls, value: bytes) -> JournalRecord:
        if not value.startswith(record_type(NAME).header):
            name, record = unpack(value)
            if name != NAME:
                raise Stop(Reason.JOURNAL_UNREADABLE, f"a journal holds a record of type {name}")
            value = pack(name, record)  # of an older schema
        at = Cursor(value, HEADER_BYTES, NAME)
        head = at.int32(), at.long(), at.long(), at.text(), at.long(), at.long(), at.fixed(32), at.fixed(32)
        ranges = [(at.text(), at.int32(), at.long(), at.long()) for _ in at.items()]
        watermarks = [(at.text(), at.int32(), at.long()) for _ in at.items()]
        rows, (first, size) = at.int32(), at.span()
        at.end()
        return cls(*head, ranges, watermarks, rows, block_in(np.frombuffer(value, np.uint8, size, first)))


def _array(items: list[bytes]) -> bytes:
    """An Avro array of these items, in one block."""
    return b"".join((varint(len(items)), *items, b"\0")) if items else b"\0"
