"""Where each lane column of one record type comes from, as numbers for the kernel that writes a block of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.agents.lane_columns import absent_column, column_type
from assay.agents.record_plan import RecordPlan, column_faults
from assay.agents.specs import Equals, Field, IdOf, Source, ValueDigest
from assay.codecs import block_fill_kernel as kernel
from assay.codecs.avro_reading import Reading
from assay.codecs.avro_schema import Op
from assay.codecs.column_match import same_bytes
from assay.codecs.columns import I64, U8, Strings, arrays_of
from assay.codecs.columns_layout import Layout, layout_of
from assay.codecs.digests import sha256_rows
from assay.codecs.journal_record import ROW
from assay.codecs.kernel import frozen
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

NO_BYTES = frozen(np.empty((0, 0)), np.uint8)
#: columns that the reader fills for every record
PLACE = ("topic", "partition", "offset")
_SOURCES = {Op.STRING: kernel.TEXT, Op.BYTES: kernel.TEXT, Op.ENUM: kernel.WORD, Op.FIXED: kernel.BYTES, Op.BOOLEAN: kernel.BYTES}


def rows_layout(columns: Sequence[str]) -> Layout:
    """The layout of a block of rows with these lane columns."""
    return layout_of({ROW + name: absent_column(name, 0) for name in sorted({*columns, *PLACE})})


class RecordFill:
    """The binding of a record type to the layout of its lane; `topic` is the number of its topic in the lane.

    Raises Stop(COLUMNS_MISMATCH) where a field has another type than its column.
    """

    def __init__(self, plan: RecordPlan, layout: Layout, topic: int) -> None:
        for fault in column_faults(plan):
            raise Stop(Reason.COLUMNS_MISMATCH, fault, remedy="Correct the source in the RecordSpec or the type in lane_columns.py.")
        self.layout = layout
        sources = dict(plan.columns)
        self._slots = {slot.path: (number, slot) for number, slot in enumerate(plan.avro.slots) if slot.level == 0}
        self._constants = {"topic": topic, "kind": plan.spec.kind}
        #: the sources whose values are made ready before the block is written, and the columns that hold ids of entities
        self._made = [source for _, source in plan.columns if isinstance(source, Equals | ValueDigest)]
        self._picked = [name for name, source in plan.columns if isinstance(source, IdOf)]
        self._at = np.cumsum([0, *map(_width, self._made)]).tolist()
        rows = [self._row(name, sources.get(name)) for name, _ in layout.within(ROW)]
        #: a row per column, and one per column that holds the id of an entity, see `block_fill_kernel.py`
        self.fills: I64 = frozen(np.array(rows, np.int64), np.int64)
        self.picks: I64 = frozen(np.array(_picks(plan), np.int64).reshape(-1, 3), np.int64)
        self.names = arrays_of(Strings.of([name.partition(".")[2] for name in self._picked]))

    def ready(self, read: Reading, values: Strings) -> U8:
        """Bytes (n, width) of the columns that no decoded field holds; `values` are the whole records."""
        if not self._made:
            return NO_BYTES
        return frozen(np.concatenate([_made(source, read, values) for source in self._made], axis=1), np.uint8)

    def _row(self, name: str, source: Source | None) -> list[int]:
        """The row of `fills` of a column."""
        kind = column_type(name)
        if name == "partition" or name == "offset":
            return [kernel.PARTITION if name == "partition" else kernel.OFFSET, 0, 0, 0, 0]
        match source:
            case Field(path):
                number, slot = self._slots[path]
                return [_SOURCES.get(slot.op, kernel.CELL), number, 0, 0, slot.size]
            case IdOf():
                return [kernel.PICKED, 0, self._picked.index(name), 0, 0]
            case Equals() | ValueDigest():
                return [kernel.READY, 0, self._at[self._made.index(source)], 0, _width(source)]
            case _:
                value = self._constants.get(name, kind.absent)
                return [kernel.NULL if kind.form == "text" else kernel.CONSTANT, 0, 0, value, kind.width]


def _picks(plan: RecordPlan) -> list[list[int]]:
    """Slots of the list, of the names and of the ids of its items, for each column that holds the id of an entity."""
    slots, found = plan.avro.slots, []
    for path in (source.path for _, source in plan.columns if isinstance(source, IdOf)):
        listed = next(number for number, slot in enumerate(slots) if slot.level == 0 and slot.path == path)
        items = {slot.path: number for number, slot in enumerate(slots) if slot.level == slots[listed].child}
        found.append([listed, items["name"], items["id"]])
    return found


def _width(source: Source) -> int:
    return 32 if isinstance(source, ValueDigest) else 1


def _made(source: Source, read: Reading, values: Strings) -> U8:
    """Bytes (n, width) that a source gives by itself: whether a text is the expected one, or the digest of a record."""
    if isinstance(source, Equals):
        told = read.column(source.path)
        assert isinstance(told, Strings)
        same = same_bytes(told.data, told.starts, np.frombuffer(source.text.encode(), np.uint8))
        return same.view(np.uint8).reshape(-1, 1)
    return sha256_rows(b"", values.data, values.starts, values.lengths)
