"""The types of lane columns and of Avro fields: what the declaration check says is what the reader gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assay.agents.lane_columns import LANE_COLUMNS, check_of, column_type
from assay.agents.record_plan import _slot_type, column_faults, record_plan
from assay.agents.record_reader import RecordReader
from assay.agents.specs import Equals, Field, IdOf, RecordSpec, Source, ValueDigest
from assay.codecs.avro_decode import decode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of

#: records whose fields have every type that a schema of ours uses
RECORDS = ("payment", "decision_response", "action_outcome", "mark", "journal_record", "posture")
#: lane columns that a field can fill; lists are made by steps
COLUMNS = [name for name, kind in LANE_COLUMNS.items() if kind.form != "list"]
NOTHING = Strings.of([])


def sources(record: str) -> list[Source]:
    """Every way to fill a column from a record."""
    slots = [slot for slot in plan_of(record).slots if slot.level == 0 and not slot.path.endswith("?")]
    fields: list[Source] = [Field(slot.path) for slot in slots]
    lists: list[Source] = [IdOf(slot.path) for slot in slots if slot.path == "entities"]
    return [*fields, *lists, *(Equals(slot.path, "x") for slot in slots if slot.op.name == "STRING"), ValueDigest()]


@pytest.mark.parametrize("record", RECORDS)
def test_a_declared_source_is_refused_where_the_reader_gives_another_type(record: str) -> None:
    """For every field and every lane column: decoded without a row, the column has its type or the check names it."""
    met = set()
    for source in sources(record):
        for name in COLUMNS:
            plan = record_plan(RecordSpec(record, columns={name: source}, of_run=False), (name,))
            reader = RecordReader(plan, 0, NOTHING.data)
            for given in reader.fill(reader.read(NOTHING), NOTHING).values():
                width = column_type(name).width
                same_width = not width or (isinstance(given, np.ndarray) and given.shape == (0, width))
                assert bool(column_faults(plan)) is not (check_of(column_type(name))(given, 0) and same_width), (source, name)
                met.add(bool(column_faults(plan)))
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
