"""The reader of a lane: each offset of a chunk ends once, however the chunk was cut, and what is refused is refused in one order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import reader
from records import OTHER_PINS, PINS, T0_US, TRAFFIC, chunk, context_fact, label, mark, payment

from assay.agents.constant_columns import ROWS_MIN, ConstantColumns
from assay.agents.merge import START_OF_TIME
from assay.agents.record_plan import record_plan
from assay.agents.record_reader import OTHER_RUN, RecordReader
from assay.agents.specs import Equals, IdOf, RecordSpec
from assay.agents.taken import Taken
from assay.agents.topology import TOPOLOGY
from assay.codecs.block_rows import Rows, joined
from assay.codecs.columns import Columns, Ragged, Strings, rows, take
from assay.codecs.columns_bytes import columns_to_bytes
from assay.codecs.kernel import frozen
from assay.codecs.single_object import pins_body
from assay.contracts.reasons import Reason

GOOD = payment("good", T0_US)
#: records on the topic of payments, and how each ends
RECORDS: dict[bytes | None, str] = {
    GOOD: "row",
    payment("sold", T0_US + 5, entities={"terminal": "t", "customer": "c", "other": "o"}): "row",
    payment("alone", T0_US + 5, entities={}): "row",
    payment("late", T0_US - 1): Reason.LATE_BEYOND_WATERMARK,
    GOOD[:-1]: Reason.BYTES_TRUNCATED,
    GOOD + b"\0": Reason.BYTES_OVERSIZED,
    payment("foreign", T0_US, pins=OTHER_PINS): Reason.RUN_SCOPE_MISMATCH,
    label("label", T0_US, "good", T0_US): Reason.RECORD_TYPE_UNEXPECTED,
    context_fact("fact", T0_US, {}): Reason.RECORD_TYPE_UNEXPECTED,
    b"\xc3\x01nonsense.": Reason.SCHEMA_UNKNOWN,
    b"": Reason.SCHEMA_UNKNOWN,
    None: "resolved",
    mark(TRAFFIC, 0, T0_US): "mark",
    mark(TRAFFIC, 0, T0_US, pins=OTHER_PINS): Reason.RUN_SCOPE_MISMATCH,
}


def ends(taken: Taken) -> dict[int, str]:
    """How each offset ended."""
    found: dict[int, str] = {}
    kept = [] if taken.rows is None else np.asarray(taken.rows.column("row.offset")).tolist()
    for offsets, end in ((kept, "row"), (taken.resolved, "resolved"), ([m.offset for m in taken.watermarks], "mark")):
        found |= dict.fromkeys(offsets, end)
    return found | {refused.offset: refused.reason for refused in taken.refused}


CHUNKS = st.lists(st.lists(st.sampled_from(list(RECORDS)), min_size=1, max_size=7), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(CHUNKS)
def test_a_chunk_cut_anywhere_gives_the_same_rows_and_every_offset_ends_once(parts: list[list[bytes | None]]) -> None:
    taking, together = reader(TOPOLOGY.lane("rtdl")), [value for part in parts for value in part]
    whole = reader(TOPOLOGY.lane("rtdl")).take(chunk(TRAFFIC, together), T0_US)
    found: dict[int, str] = {}
    blocks: list[Rows] = []
    for part in parts:
        taken = taking.take(chunk(TRAFFIC, part, len(found)), T0_US)
        assert len(ends(taken)) == len(part)
        found |= ends(taken)
        blocks += [Rows.of(taken.rows)] if taken.rows is not None else []
    assert found == ends(whole) == {offset: RECORDS[value] for offset, value in enumerate(together)}
    assert (whole.rows is None) == (not blocks)
    if whole.rows is not None:
        assert joined(blocks) == whole.rows


def test_refusals_come_by_type_and_in_it_by_bytes_then_run_and_late_rows_last() -> None:
    """Their order in the journal is that of the dead letters."""
    values = [payment("late", 1), payment("foreign", 9, pins=OTHER_PINS), GOOD[:-1], GOOD, b"x", label("l", 9, "p", 5)]
    taken = reader(TOPOLOGY.lane("rtdl")).take(chunk(TRAFFIC, values), 5)
    assert [refused.offset for refused in taken.refused] == [4, 5, 2, 1, 0]


def test_no_row_is_late_before_the_first_mark() -> None:
    taken = reader(TOPOLOGY.lane("rtdl")).take(chunk(TRAFFIC, [payment("first", -(2**62)), GOOD]), START_OF_TIME)
    assert not taken.refused


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_record_reader_fills_every_column_for_any_number_of_rows(n: int) -> None:
    columns = ("kind", "ts_us", "label", "event_id", "entity.terminal", "entity.nobody", "document", "payload_hash")
    spec = RecordSpec("payment", 4, {"entity.*": IdOf("entities"), "label": Equals("currency", "EUR")})
    reading = RecordReader(record_plan(spec, columns), 7, frozen(np.frombuffer(pins_body(PINS.as_avro()), np.uint8), np.uint8))
    values = Strings.of([GOOD] * n)
    read = reading.read(values)
    found = reading.columns(read, values, np.arange(n), 2)
    assert {rows({name: column}) for name, column in found.items()} == {n}
    told = {name: column.tolist() for name, column in found.items() if not isinstance(column, Ragged)}
    assert (told["kind"], told["topic"], told["partition"], told["label"]) == ([4] * n, [7] * n, [2] * n, [1] * n)
    assert (told["entity.terminal"], told["entity.nobody"], told["document"]) == ([b"t1"] * n, [None] * n, [None] * n)


def test_the_verdict_on_a_record_of_another_run_is_its_own() -> None:
    reading = RecordReader(record_plan(RecordSpec("payment"), ()), 0, frozen(np.frombuffer(pins_body(PINS.as_avro()), np.uint8), np.uint8))
    values = Strings.of([GOOD, payment("b", 1, pins=OTHER_PINS), GOOD[:-1], payment("c", 1, pins=OTHER_PINS)[:-1]])
    assert reading.read(values).verdict.tolist() == [0, OTHER_RUN, 1, 1]


def test_alike_columns_are_made_once_and_cannot_be_written() -> None:
    made: list[int] = []

    def make(n: int) -> Columns:
        made.append(n)
        return {"number": np.full(n, 7), "text": Strings.nulls(n)}

    constant = ConstantColumns(make)
    for n in (0, 3, ROWS_MIN, 3, ROWS_MIN + 1, 5, 1_000, 999):
        columns = constant.of(n)
        assert np.asarray(columns["number"]).tolist() == [7] * n
        assert columns_to_bytes(columns) == columns_to_bytes({"number": np.full(n, 7), "text": Strings.nulls(n)})
        with pytest.raises(ValueError, match="read-only"):
            np.asarray(columns["number"])[:] = 1
        assert columns_to_bytes(take(columns, np.arange(n))) == columns_to_bytes(columns)
    assert made == [ROWS_MIN, 2 * ROWS_MIN, 1_000]
