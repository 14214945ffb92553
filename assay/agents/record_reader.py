"""From the values of one record type on one topic to lane columns. Texts stay in the fetched bytes, and all columns are only read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.agents.constant_columns import ConstantColumns
from assay.agents.lane_columns import absent_column
from assay.agents.record_plan import RUN_ID, RecordPlan, read_column
from assay.agents.specs import IdOf
from assay.codecs.avro_decode import REASONS, Decoder
from assay.codecs.avro_reading import Reading
from assay.codecs.columns import I64, U8, Columns, Strings, settled_strings
from assay.codecs.single_object import HEADER_BYTES

#: the verdict on a record of another run, beside those in `REASONS`
OTHER_RUN = len(REASONS)


class RecordReader:
    """The reader of a record type. `topic` is the number of its topic in the lane, `pins` the Avro bytes of the pins of the run.

    It keeps its decoder and constant columns from chunk to chunk, so it belongs to one lane.
    """

    def __init__(self, plan: RecordPlan, topic: int, pins: U8) -> None:
        self.spec, self.is_document = plan.spec, plan.spec.is_document
        self._plan, self._topic, self._pins = plan, topic, pins
        self._decoder = Decoder(plan.avro)
        self._single = [(name, source) for name, source in plan.columns if source is not None and not isinstance(source, IdOf)]
        self._picked = _picked(plan)
        self._absent = [name for name, source in plan.columns if source is None]
        self._alike = ConstantColumns(self._made_alike)
        self._of_partition: dict[int, ConstantColumns] = {}

    def read(self, values: Strings) -> Reading:
        """The decoded fields of n values of this type. The verdict on a record of another run is `OTHER_RUN`."""
        read = self._decoder.read(values.data, values.starts, values.lengths, HEADER_BYTES)
        if self.spec.of_run:
            # the six pins are neighbours in the bytes: one comparison checks them all (the length of the run id takes one byte)
            read.mark_others(RUN_ID, 1, self._pins, OTHER_RUN)
        return read

    def columns(self, read: Reading, values: Strings, offsets: I64, partition: int) -> Columns:
        """The lane columns of decoded records; `values` are their whole bytes."""
        # texts point into the fetched bytes; the journal record, or a join with other rows, copies them out
        return {**self._same(len(offsets), partition), "offset": offsets, **self.fill(read, values)}

    def fill(self, read: Reading, values: Strings) -> Columns:
        """The lane columns that the record has fields for."""
        found = {name: read_column(source, read, values) for name, source in self._single}
        for path, names, entities in self._picked:
            found |= zip(names, read.picked(path, entities), strict=True)
        return found

    def document(self, record: Mapping[str, Any], offset: int, partition: int) -> Columns:
        """The lane columns of one record that was read by itself."""
        told = {column.name: column.of_record(record) for column in self._plan.columns}
        return self._same(1, partition) | {"offset": np.array([offset], np.int64)} | told

    def _same(self, n: int, partition: int) -> Columns:
        """The columns that are the same in all records of this type from one partition."""
        found = self._of_partition.get(partition)
        if found is None:
            found = self._of_partition[partition] = ConstantColumns(lambda n: {"partition": np.full(n, partition, np.int32)})
        return self._alike.of(n) | found.of(n)

    def _made_alike(self, n: int) -> Columns:
        kind: Columns = {"kind": np.full(n, self.spec.kind, np.int8)} if self._plan.with_kind else {}
        return kind | {"topic": np.full(n, self._topic, np.int16)} | {name: absent_column(name, n) for name in self._absent}


def _picked(plan: RecordPlan) -> list[tuple[str, list[str], Strings]]:
    """(path of a list, lane columns, names of entities in the list) for the columns that hold ids of entities."""
    by_path: dict[str, list[str]] = {}
    for name, source in plan.columns:
        if isinstance(source, IdOf):
            by_path.setdefault(source.path, []).append(name)
    return [(path, names, settled_strings(Strings.of([name.partition(".")[2] for name in names]))) for path, names in by_path.items()]
