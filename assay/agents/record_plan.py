"""How the columns of a lane are filled from one record type: derived from its Avro schema and its declaration in the topology."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from assay.agents.lane_columns import I8, I32, I64, ID16, SHA256, TEXT, ColumnType, absent_column, column_type
from assay.agents.specs import Document, Equals, Field, IdOf, RecordSpec, Source, ValueDigest
from assay.codecs.avro_plan import AvroPlan, Slot
from assay.codecs.avro_schema import Op
from assay.codecs.columns import Column, Strings
from assay.codecs.single_object import plan_of, record_type

#: the first of the six pins; the others follow it in the bytes
RUN_ID = "pins.platform_run_id"


class LaneColumn(NamedTuple):
    """One lane column of one record type; `source` is None where the record has no such field."""

    name: str
    source: Source | None

    def of_record(self, record: Mapping[str, Any]) -> Column:
        """The column of one record that was read by itself."""
        match self.source:
            case Document():
                text = json.dumps(record, sort_keys=True, default=lambda value: value.hex() if isinstance(value, bytes) else str(value))
                return Strings.of([text])
            case Field(path):
                value: Any = record
                for part in path.split("."):
                    value = value[part]
                kind = column_type(self.name)
                return Strings.of([str(value)]) if kind.form == "text" else np.array([value], kind.dtype)
            case _:
                return absent_column(self.name, 1)


class RecordPlan(NamedTuple):
    """A record type ready to be read into columns. `avro` decodes the fields that are needed and no others."""

    spec: RecordSpec
    avro: AvroPlan
    columns: tuple[LaneColumn, ...]
    with_kind: bool


def record_plan(spec: RecordSpec, columns: Sequence[str]) -> RecordPlan:
    """The plan of a record type for these lane columns. Raises Stop(SCHEMA_UNKNOWN, COLUMN_UNKNOWN)."""
    fields = {field["name"] for field in record_type(spec.record).schema["fields"]}
    filled = tuple(
        LaneColumn(name, _source(spec, name, fields)) for name in columns if name not in ("kind", "topic", "partition", "offset")
    )
    paths = {source.path for _, source in filled if isinstance(source, Field | IdOf | Equals)}
    only = frozenset(paths | set(spec.must_decode) | ({RUN_ID} if spec.of_run else set()))
    return RecordPlan(spec, plan_of(spec.record, only), filled, "kind" in columns)


def column_faults(plan: RecordPlan) -> list[str]:
    """The lane columns that the fields of a record cannot fill because their types differ, one line each.

    A list fills no column: lists are made by steps. The id of an entity comes from a list of items with the texts `name` and `id`.
    """
    slots = {(slot.level, slot.path): slot for slot in plan.avro.slots}
    faults = []
    for name, source in () if plan.spec.is_document else plan.columns:  # a document is read value by value
        given = _type_of(source, slots)
        if given is not None and (given.form == "list" or given[:3] != column_type(name)[:3]):
            faults.append(f"column {name} of {plan.spec.record} is {column_type(name).form}, its source {source} gives {given.form}")
    return faults


def _type_of(source: Source | None, slots: Mapping[tuple[int, str], Slot]) -> ColumnType | None:
    """The type of the column that a source gives; None for no source. Slots are named by level and path."""
    match source:
        case Field(path):
            return _slot_type(slots[0, path])
        case IdOf(path):
            listed = slots[0, path]
            texts = [slot.path for slot in slots.values() if slot.level == listed.child and slot.op is Op.STRING]
            return TEXT if listed.op is Op.ARRAY and {"name", "id"} <= {*texts} else ColumnType("list")
        case Equals(path, _):
            return I8 if slots[0, path].op is Op.STRING else _slot_type(slots[0, path])
        case ValueDigest():
            return SHA256
        case _:
            return None


def _slot_type(slot: Slot) -> ColumnType:
    """The type of a decoded Avro field (`codecs/avro_decode.py`)."""
    if slot.op is Op.FIXED:
        return ID16._replace(width=slot.size)
    kinds = {Op.LONG: I64, Op.INT: I64, Op.ENUM: I32, Op.BOOLEAN: I8, Op.STRING: TEXT, Op.BYTES: TEXT, Op.ARRAY: ColumnType("list")}
    return kinds.get(slot.op, ColumnType("number", np.dtype(np.float64)))


def supplies(spec: RecordSpec, name: str) -> bool:
    """Whether records of this type fill the lane column of this name."""
    fields = {field["name"] for field in record_type(spec.record).schema["fields"]}
    return name == "kind" or _source(spec, name, fields) is not None


def _source(spec: RecordSpec, name: str, fields: set[str]) -> Source | None:
    for declared in (name, f"{name.partition('.')[0]}.*"):
        if declared in spec.columns:
            return spec.columns[declared]
    return Field(name) if name in fields else None
