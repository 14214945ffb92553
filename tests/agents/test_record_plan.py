"""The types of lane columns and of Avro fields: what the declaration check says is what the reader gives."""

from __future__ import annotations

import numpy as np
import pytest

from assay.agents.lane_columns import LANE_COLUMNS, column_type, fits
from assay.agents.record_plan import column_faults, record_plan
from assay.agents.specs import Equals, Field, IdOf, RecordSpec, Source, ValueDigest
from assay.codecs.avro_decode import decode
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
            for column in plan.columns:
                decoded = decode(plan.avro, NOTHING.data, NOTHING.starts, NOTHING.lengths, HEADER_BYTES)
                given = column.fill(decoded.columns, NOTHING)
                width = column_type(name).width
                same_width = not width or (isinstance(given, np.ndarray) and given.shape == (0, width))
                assert bool(column_faults(plan)) is not (fits(name, given, 0) and same_width), (source, name)
                met.add(bool(column_faults(plan)))
    assert met == {True, False}
