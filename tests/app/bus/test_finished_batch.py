"""What stands in for aiokafka's batch builder answers all that aiokafka asks, and frames each partition's rows in order."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from assay.agents.step import Emission
from assay.app.bus.finished_batch import FinishedBatch, lots_of
from assay.codecs.columns import Strings
from assay.codecs.single_object import record_type


def test_a_finished_batch_answers_everything_a_batch_builder_does() -> None:
    wanted = {name for name in vars(BatchBuilder) if not name.startswith("__")} - {"_serialize"}
    assert wanted <= set(dir(FinishedBatch))


def test_each_partition_gets_its_rows_in_their_order() -> None:
    values = [b"%d" % i for i in range(10)]
    emission = Emission("OUT", np.arange(10, dtype=np.int32) % 3, Strings.of(values), Strings.of(values))
    for lot in lots_of([emission], 1, 200):
        batches = [FinishedBatch(batch) for batch in lot.batches]
        read = [record.value for batch in batches for record in _records(batch)]
        assert read == values[lot.partition :: 3]
        assert sum(batch.record_count() for batch in batches) == len(read)


def test_records_have_headers_where_their_topic_carries_several_types() -> None:
    value = record_type("mark").header
    for handle, expected in (("FP_BUS_RTDL_V1", [b"mark", b"cb8872cbf0474206"]), ("FP_JOURNAL_RTDL_V1", []), ("OUT", [])):
        (lot,) = lots_of([Emission(handle, np.zeros(1, np.int32), Strings.of([b"k"]), Strings.of([value]))], 1, 200)
        (record,) = _records(FinishedBatch(lot.batches[0]))
        assert [told for _, told in record.headers] == expected


def test_a_batch_sent_again_has_the_same_bytes_until_its_producer_changes() -> None:
    (lot,) = lots_of([Emission("OUT", np.zeros(1, np.int32), Strings.of([b"k"]), Strings.of([b"v"]))], 1, 200)
    batch = FinishedBatch(lot.batches[0])
    batch._set_producer_state(1, 2, 3)
    first = batch._build()
    assert batch._build() == first
    batch._set_producer_state(1, 3, 0)
    assert batch._build() != first


def _records(batch: FinishedBatch) -> list[Any]:
    records, found = MemoryRecords(batch._build()), list[Any]()
    while records.has_next():
        found += list(records.next_batch())
    return found
