"""From the values of one record type on one topic to a block of rows: fetched bytes are decoded, and copied once, into the block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.agents.record_fill import RecordFill
from assay.agents.record_plan import RUN_ID, RecordPlan
from assay.codecs.avro_decode import REASONS, Decoder
from assay.codecs.avro_reading import Reading
from assay.codecs.block_fill_kernel import measure_records, write_records
from assay.codecs.column_block import NO_OFFSETS, Block
from assay.codecs.columns import I64, U8, Columns, Strings
from assay.codecs.columns_bytes import block_of
from assay.codecs.columns_layout import Layout
from assay.codecs.journal_record import ROW
from assay.codecs.kernel import frozen
from assay.codecs.single_object import HEADER_BYTES

#: the verdicts on a record of another run, and of a currency that the policy does not know, beside those in `REASONS`
OTHER_RUN, OTHER_CURRENCY = len(REASONS), len(REASONS) + 1


class RecordReader:
    """The reader of a record type. `layout` is that of the lane's rows, `topic` the number of the topic in the lane.

    `pins` are the Avro bytes of the pins of the run, `currencies` the codes that a payment may be in, none for all.
    A reader keeps its decoder from chunk to chunk, so it belongs to one lane.
    """

    def __init__(self, plan: RecordPlan, layout: Layout, topic: int, pins: U8, currencies: Sequence[str] = ()) -> None:
        self.spec, self.is_document = plan.spec, plan.spec.is_document
        self._codes = frozen(np.frombuffer("".join(currencies).encode(), np.uint8), np.uint8)
        self._plan, self._topic, self._pins = plan, topic, pins
        self._decoder = Decoder(plan.avro)
        self._fill = RecordFill(plan, layout, topic)

    def read(self, values: Strings) -> Reading:
        """The decoded fields of n values of this type. The verdict on a record of another run is `OTHER_RUN`, or `OTHER_CURRENCY`."""
        read = self._decoder.read(values.data, values.starts, values.lengths, HEADER_BYTES)
        if self.spec.of_run:
            # the six pins are neighbours in the bytes: one comparison checks them all (the length of the run id takes one byte)
            read.mark_others(RUN_ID, 1, self._pins, OTHER_RUN)
        if self.spec.currency is not None:
            read.mark_unlisted(self.spec.currency, self._codes, OTHER_CURRENCY)
        return read

    def rows(self, read: Reading, values: Strings, offsets: I64, partition: int) -> Block | None:
        """The rows of the records that have verdict 0, None if there is none; `values` are the whole bytes of all records."""
        fill, layout = self._fill, self._fill.layout
        plan, fills, base, verdict = layout.plan, fill.fills, read.places.base, read.verdict
        picked = len(fill.picks), len(verdict)
        picked_starts, picked_lengths = np.empty(picked, np.int64), np.empty(picked, np.int32)
        numbers, places = np.empty(len(layout.numbers_at), np.int64), np.empty((len(plan), 3), np.int64)
        size = measure_records(
            plan, fills, fill.picks, fill.names, base, read.wide, read.narrow, read.data, verdict, layout.body,
            picked_starts, picked_lengths, numbers, places,
        )  # fmt: skip
        count = int(numbers[0])
        if not count:
            return None
        whole, starts = np.empty(size, np.uint8), np.empty(layout.texts * count, np.int64)
        write_records(
            plan, fills, base, read.wide, read.narrow, read.small, read.data, picked_starts, picked_lengths,
            fill.ready(read, values), verdict, frozen(offsets, np.int64), partition, layout.front, layout.numbers_at, numbers, places,
            whole, whole.view(np.int32), whole.view(np.int64), starts,
        )  # fmt: skip
        return Block(layout, whole, numbers, places, starts, NO_OFFSETS)

    def document(self, record: Mapping[str, Any], offset: int, partition: int) -> Block:
        """The row of one record that was read by itself."""
        place: Columns = {
            "topic": np.array([self._topic], np.int16),
            "partition": np.array([partition], np.int32),
            "offset": np.array([offset], np.int64),
        }
        kind: Columns = {"kind": np.array([self.spec.kind], np.int8)} if self._plan.with_kind else {}
        told = {column.name: column.of_record(record) for column in self._plan.columns}
        return block_of({ROW + name: column for name, column in (place | kind | told).items()})
