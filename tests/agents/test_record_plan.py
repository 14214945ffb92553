"""The types of lane columns and of Avro fields: what the declaration check says is what the reader gives."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from assay.agents.lane_columns import I8, LANE_COLUMNS, SHA256, TEXT, check_of, column_type
from assay.agents.record_fill import PLACE, RecordFill, rows_layout
from assay.agents.record_plan import RecordPlan, _slot_type, column_faults, record_plan
from assay.agents.specs import Equals, Field, IdOf, RecordSpec, Source, ValueDigest
from assay.codecs.avro_decode import Decoder, decode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.avro_schema import Op
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of
from assay.contracts.errors import Stop

#: records whose fields have every type that a schema of ours uses
RECORDS = ("payment", "decision_response", "action_outcome", "mark", "journal_record", "posture")
#: lists among them, which no field fills: they are made by steps
COLUMNS = list(LANE_COLUMNS)
NOTHING = Strings.of([])


def sources(record: str) -> list[Source]:
    """Every way to fill a column from a record."""
    slots = [slot for slot in plan_of(record).slots if slot.level == 0 and not slot.path.endswith("?")]
    fields: list[Source] = [Field(slot.path) for slot in slots]
    lists: list[Source] = [IdOf(slot.path) for slot in slots if slot.op in (Op.ARRAY, Op.STRING)]
    return [*fields, *lists, *(Equals(slot.path, "x") for slot in slots if slot.op.name == "STRING"), ValueDigest()]


def type_given(source: Source, name: str, plan: RecordPlan) -> bool:
    """Whether the columns that are decoded for a source have the type that its lane column declares."""
    read = Decoder(plan.avro).read(NOTHING.data, NOTHING.starts, NOTHING.lengths, HEADER_BYTES)
    if column_type(name).form == "list":
        return False
    if isinstance(source, IdOf) and (source.path != "entities" or plan.spec.record == "decision_response"):
        return False  # a decision has a map of names and ids, other records a list of both
    if not isinstance(source, Field):
        return column_type(name)[:3] == {IdOf: TEXT, Equals: I8, ValueDigest: SHA256}[type(source)][:3]
    given, width = read.column(source.path), column_type(name).width
    same_width = not width or (isinstance(given, np.ndarray) and given.shape == (0, width))
    return check_of(column_type(name))(given, 0) and same_width


@pytest.mark.parametrize("record", RECORDS)
def test_a_declared_source_is_refused_where_the_reader_gives_another_type(record: str) -> None:
    """For every field and every lane column: decoded without a row, the column has its type or the check names it."""
    met = set()
    for source in sources(record):
        for name in COLUMNS:
            plan = record_plan(RecordSpec(record, columns={name: source}, of_run=False), (name,))
            if not plan.columns:
                continue  # filled for every record
            faults = column_faults(plan)
            assert bool(faults) is not type_given(source, name, plan), (source, name)
            met.add(bool(faults))
            if faults:
                with pytest.raises(Stop, match=f"column {re.escape(name)} of {record}"):
                    RecordFill(plan, rows_layout((name,)), 0)
            else:
                assert len(RecordFill(plan, rows_layout((name,)), 0).fills) == len({name, *PLACE})
    assert met == {True, False}


def test_the_type_of_every_kind_of_field_is_the_one_that_decoding_gives() -> None:
    """Also of kinds that no schema of ours uses yet."""
    kinds: dict[str, Any] = {
        **{name: name for name in ("long", "int", "boolean", "double", "float", "string", "bytes")},
        "fixed": {"type": "fixed", "name": "Id", "size": 7},
        "enum": {"type": "enum", "name": "Colour", "symbols": ["RED"]},
    }
    plan = compile_schema({"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in kinds.items()]})
    decoded = decode(plan, NOTHING.data, NOTHING.starts, NOTHING.lengths, HEADER_BYTES).columns
    for slot in plan.slots:
        kind, column = _slot_type(slot), decoded[slot.path]
        if isinstance(column, Strings):
            assert kind.form == "text", slot
        else:
            assert isinstance(column, np.ndarray)
            assert (kind.dtype, kind.width or None) == (column.dtype, column.shape[1] if column.ndim == 2 else None), slot
