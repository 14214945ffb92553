"""The reader of a lane: each offset of a chunk ends once, however the chunk was cut, and what is refused is refused in one order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import ENTITIES, reader
from records import (
    CONTEXT,
    CONTROL,
    OTHER_PINS,
    PINS,
    T0_US,
    TRAFFIC,
    arrival_entities,
    chunk,
    context_fact,
    flow_event,
    label,
    mark,
    payment,
    run_ready,
    run_terminal_signal,
)

from assay.agents.assembly import input_columns
from assay.agents.intake import Intake
from assay.agents.merge import END_OF_TIME, START_OF_TIME
from assay.agents.record_fill import rows_layout
from assay.agents.record_plan import LaneColumn, RecordPlan, record_plan
from assay.agents.record_reader import OTHER_RUN, RecordReader
from assay.agents.specs import Equals, Field, IdOf, RecordSpec, Source, ValueDigest
from assay.agents.taken import Taken
from assay.agents.topology import TOPOLOGY
from assay.codecs.avro_encode import encode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.block_rows import Rows, joined
from assay.codecs.column_block import Block
from assay.codecs.columns import Columns, Ragged, Strings, settled_strings
from assay.codecs.columns_bytes import block_in, block_of
from assay.codecs.kernel import frozen
from assay.codecs.single_object import HEADER_BYTES, pack, pins_body, unpack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

GOOD = payment("good", T0_US)
#: records on the topic of payments, and how each ends
RECORDS: dict[bytes | None, str] = {
    GOOD: "row",
    payment("sold", T0_US + 5, entities={"terminal": "t", "customer": "c", "other": "o"}): "row",
    payment("alone", T0_US + 5, entities={}): "row",
    payment("twice", T0_US + 5, entities=[("customer", "c1"), ("customer", "c2"), ("terminal", "t1"), ("terminal", "t2")]): "row",
    payment("late", T0_US - 1): Reason.LATE_BEYOND_WATERMARK,
    GOOD[:-1]: Reason.BYTES_TRUNCATED,
    GOOD + b"\0": Reason.BYTES_OVERSIZED,
    payment("foreign", T0_US, pins=OTHER_PINS): Reason.RUN_SCOPE_MISMATCH,
    label("label", T0_US, "good", T0_US): Reason.RECORD_TYPE_UNEXPECTED,
    context_fact("fact", T0_US, {}): Reason.RECORD_TYPE_UNEXPECTED,
    flow_event("flow", T0_US): "resolved",
    flow_event("flow", T0_US - 1): "resolved",
    flow_event("foreign", T0_US, pins=OTHER_PINS): Reason.RUN_SCOPE_MISMATCH,
    flow_event("cut", T0_US)[:-1]: Reason.BYTES_TRUNCATED,
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


@settings(max_examples=drawn(60), deadline=None)
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


def test_rows_of_a_generated_world_are_passed_over_until_a_lane_reads_them() -> None:
    """They lie on topics that the lane reads: as dead letters they would stop it."""
    taking = reader(TOPOLOGY.lane("rtdl"))
    taken = taking.take(chunk(CONTEXT, [arrival_entities("a", T0_US), context_fact("fact", T0_US, {"customer": "c"})]), T0_US)
    assert ends(taken) == {0: "resolved", 1: "row"}


def test_refusals_come_by_type_and_in_it_by_bytes_then_run_and_late_rows_last() -> None:
    """Their order in the journal is that of the dead letters."""
    values = [payment("late", 1), payment("foreign", 9, pins=OTHER_PINS), GOOD[:-1], GOOD, b"x", label("l", 9, "p", 5)]
    taken = reader(TOPOLOGY.lane("rtdl")).take(chunk(TRAFFIC, values), 5)
    assert [refused.offset for refused in taken.refused] == [4, 5, 2, 1, 0]


@pytest.mark.parametrize("bound", [T0_US + 1, END_OF_TIME])
def test_a_ready_that_is_said_again_behind_the_watermark_is_passed_over(bound: int) -> None:
    """An operator may repeat it at any time; the first one counted, and a dead letter would say that something was lost."""
    taken = reader(TOPOLOGY.lane("rtdl")).take(chunk(CONTROL, [run_ready(), run_ready(T0_US - 5)]), bound)
    assert ends(taken) == {0: "resolved", 1: "resolved"}
    first = reader(TOPOLOGY.lane("rtdl")).take(chunk(CONTROL, [run_ready()]), START_OF_TIME)
    assert ends(first) == {0: "row"}


def test_the_signal_that_the_run_ended_is_passed_over_and_that_of_another_run_is_set_aside() -> None:
    """No lane decides by it. Before and behind the watermark it is no dead letter."""
    for bound in (START_OF_TIME, END_OF_TIME):
        values = [run_terminal_signal(), run_terminal_signal(pins=OTHER_PINS)]
        taken = reader(TOPOLOGY.lane("rtdl")).take(chunk(CONTROL, values), bound)
        assert ends(taken) == {0: "resolved", 1: Reason.RUN_SCOPE_MISMATCH}


def test_no_row_is_late_before_the_first_mark() -> None:
    taken = reader(TOPOLOGY.lane("rtdl")).take(chunk(TRAFFIC, [payment("first", -(2**62)), GOOD]), START_OF_TIME)
    assert not taken.refused


PINS_BYTES = frozen(np.frombuffer(pins_body(PINS.as_avro()), np.uint8), np.uint8)
COLUMNS = (
    "kind",
    "ts_us",
    "label",
    "event_id",
    "entity.terminal",
    "entity.nobody",
    "document",
    "payload_hash",
    "decision_sha256",
    "action_id",
)


def test_a_payment_in_a_currency_that_is_not_listed_is_refused_by_name_and_one_of_another_run_for_that() -> None:
    lane = TOPOLOGY.lane("rtdl")
    taking = Intake(lane.inputs, input_columns(lane, ENTITIES), PINS, ("EUR", "GBP"))
    given = [payment("a", T0_US), payment("b", T0_US, currency="USD"), payment("c", T0_US, currency="USD", pins=OTHER_PINS)]
    taken = taking.take(chunk(TRAFFIC, [*given, payment("d", T0_US, currency="GBP"), label("e", T0_US, "a", T0_US)]), T0_US)
    assert ends(taken) == {
        0: "row", 1: Reason.CURRENCY_NOT_OF_POLICY, 2: Reason.RUN_SCOPE_MISMATCH, 3: "row", 4: Reason.RECORD_TYPE_UNEXPECTED
    }  # fmt: skip
    (refused,) = (one for one in taken.refused if one.offset == 1)
    assert refused.raw == given[1]
    assert refused.detail.startswith("a payment in USD; `currencies` of the feature document are EUR, GBP: add it there")


def record_reader(columns: Sequence[str] = COLUMNS, topic: int = 7) -> RecordReader:
    """A reader of payments into columns of every kind."""
    more: dict[str, Source] = {"label": Equals("currency", "EUR"), "decision_sha256": ValueDigest(), "ts_us": Field("ts_utc")}
    filled: dict[str, Source] = {"entity.*": IdOf("entities"), **{name: source for name, source in more.items() if name in columns}}
    spec = RecordSpec("payment", 4, filled)
    return RecordReader(record_plan(spec, columns), rows_layout(columns), topic, PINS_BYTES)


def block_of_values(values: Sequence[bytes], partition: int = 2) -> Block | None:
    """The block of these payments, at the offsets from 5 on."""
    reading, given = record_reader(), settled_strings(Strings.of(values))
    return reading.rows(reading.read(given), given, np.arange(5, 5 + len(values)), partition)


@pytest.mark.parametrize("n", [1, 3])
def test_a_record_reader_fills_every_column_for_any_number_of_rows(n: int) -> None:
    found = block_of_values([GOOD] * n)
    assert found is not None and found.rows == n
    told = {name: column.tolist() for name, column in found.within("row.").items() if not isinstance(column, Ragged)}
    assert told.keys() == {*COLUMNS, "topic", "partition", "offset"}
    assert (told["kind"], told["topic"], told["partition"], told["label"]) == ([4] * n, [7] * n, [2] * n, [1] * n)
    assert (told["entity.terminal"], told["entity.nobody"], told["document"]) == ([b"t1"] * n, [None] * n, [None] * n)
    assert (told["event_id"], told["ts_us"], told["offset"]) == ([b"good"] * n, [T0_US] * n, list(range(5, 5 + n)))
    assert told["decision_sha256"] == [list(hashlib.sha256(GOOD).digest())] * n
    assert told["payload_hash"] == [list(unpack(GOOD)[1]["payload_hash"])] * n
    assert told["action_id"] == [[0] * 16] * n


def test_no_block_is_made_of_no_good_record() -> None:
    assert block_of_values([]) is None
    assert block_of_values([GOOD[:-1], payment("foreign", T0_US, pins=OTHER_PINS)]) is None


MIXED = st.lists(
    st.sampled_from([*(value for value, end in RECORDS.items() if value and end in ("row", Reason.LATE_BEYOND_WATERMARK)), GOOD[:-1]]),
    max_size=9,
)


@settings(max_examples=drawn(60), deadline=None)
@given(MIXED, st.integers(-(2**31), 2**31 - 1))
def test_the_block_is_that_of_the_columns_of_its_good_records_to_the_last_byte(values: list[bytes], partition: int) -> None:
    """Read by the Avro library, row by row, and written by the general codec."""
    found = block_of_values(values, partition)
    good = [(5 + at, value, unpack(value)[1]) for at, value in enumerate(values) if value != GOOD[:-1]]
    assert (found is None) == (not good)
    if found is None:
        return
    ids = [{item["name"]: item["id"] for item in reversed(record["entities"])} for _, _, record in good]  # the first of a name counts
    n = len(good)
    expected: Columns = {
        "kind": np.full(n, 4, np.int8), "topic": np.full(n, 7, np.int16), "partition": np.full(n, partition, np.int32),
        "offset": np.array([offset for offset, _, _ in good], np.int64), "ts_us": np.array([r["ts_utc"] for _, _, r in good], np.int64),
        "label": np.array([r["currency"] == "EUR" for _, _, r in good], np.int8),
        "event_id": Strings.of([r["event_id"] for _, _, r in good]),
        "entity.terminal": Strings.of([given.get("terminal") for given in ids]), "entity.nobody": Strings.nulls(n),
        "document": Strings.nulls(n), "payload_hash": np.array([list(r["payload_hash"]) for _, _, r in good], np.uint8),
        "decision_sha256": np.array([list(hashlib.sha256(value).digest()) for _, value, _ in good], np.uint8),
        "action_id": np.zeros((n, 16), np.uint8),
    }  # fmt: skip
    assert found == block_of({f"row.{name}": column for name, column in expected.items()})
    for name, column in block_in(found.whole).columns().items():
        mine = found.column(name)
        if isinstance(column, Strings) and isinstance(mine, Strings):
            assert mine.starts.tolist() == column.starts.tolist()


def test_the_verdict_on_a_record_of_another_run_is_its_own() -> None:
    values = Strings.of([GOOD, payment("b", 1, pins=OTHER_PINS), GOOD[:-1], payment("c", 1, pins=OTHER_PINS)[:-1]])
    assert record_reader(()).read(values).verdict.tolist() == [0, OTHER_RUN, 1, 1]


def test_a_field_of_another_type_than_its_column_is_refused_before_a_record_is_read() -> None:
    plan = record_plan(RecordSpec("payment", columns={"label": Field("event_id")}), ("label",))
    with pytest.raises(Stop, match="column label of payment") as refused:
        RecordReader(plan, rows_layout(("label",)), 0, PINS_BYTES)
    assert refused.value.reason is Reason.COLUMNS_MISMATCH


def test_fields_of_every_kind_are_written_as_they_are_decoded() -> None:
    """Also of kinds that no input of a lane has yet."""
    enum = {"type": "enum", "name": "Colour", "symbols": ["RED", "GREEN", "BLUE"]}
    kinds: dict[str, Any] = {"ts": "long", "colour": enum, "flag": "boolean", "id": {"type": "fixed", "name": "Id", "size": 16}}
    avro = compile_schema({"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in kinds.items()]})
    sources = {"ts_us": "ts", "slot.colour": "colour", "label": "flag", "action_id": "id"}
    columns = tuple(LaneColumn(name, Field(path)) for name, path in sources.items())
    plan = RecordPlan(RecordSpec("payment", of_run=False), avro, columns, with_kind=False)
    n, ids = 3, np.arange(48, dtype=np.uint8).reshape(3, 16)
    given: Columns = {
        "ts": np.array([-1, 2**62, 5]),
        "colour": np.array([2, 0, 1], np.int32),
        "flag": np.array([1, 0, 1], np.int8),
        "id": ids,
    }
    bodies = encode(plan.avro, given)
    values = settled_strings(Strings.of([bytes(HEADER_BYTES) + (body or b"") for body in bodies.tolist()]))
    reading = RecordReader(plan, rows_layout(tuple(sources)), 0, PINS_BYTES)
    found = reading.rows(reading.read(values), values, np.arange(n), 0)
    assert found is not None
    for name, path in sources.items():
        assert np.asarray(found.column(f"row.{name}")).tolist() == np.asarray(given[path]).tolist(), name


def test_a_chunk_is_read_as_if_no_other_had_been_read_before_it() -> None:
    """The place of a name in the record before is tried first, so of two entities with one name it decides; a chunk begins anew."""
    record = unpack(GOOD)[1]
    item = {name: {"name": "terminal", "id": name} for name in ("first", "second")}
    twice = pack("payment", {**record, "entities": [item["first"], item["second"]]})
    behind = pack("payment", {**record, "entities": [{"name": "customer", "id": "c"}, item["second"]]})
    reading, found = record_reader(), list[bytes | None]()
    for values in ([behind], [twice]):
        given = settled_strings(Strings.of(values))
        block = reading.rows(reading.read(given), given, np.arange(1), 0)
        assert block is not None
        found += block.column("row.entity.terminal").tolist()  # type: ignore[union-attr]
    assert found == [b"second", b"first"]
