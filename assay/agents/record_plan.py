"""How the columns of a lane are filled from one record type: derived from its Avro schema and its declaration in the topology."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from assay.agents.lane_columns import absent_column, column_type
from assay.agents.specs import Document, Equals, Field, IdOf, RecordSpec, Source, ValueDigest
from assay.codecs.avro_plan import AvroPlan
from assay.codecs.column_match import pick_named, same_bytes
from assay.codecs.columns import Column, Columns, Ragged, Strings
from assay.codecs.digests import sha256_rows
from assay.codecs.single_object import plan_of, record_type

#: the first of the six pins; the others follow it in the bytes
RUN_ID = "pins.platform_run_id"


class LaneColumn(NamedTuple):
    """One lane column of one record type; `source` is None where the record has no such field."""

    name: str
    source: Source | None

    def fill(self, read: Columns, values: Strings) -> Column:
        """The column of decoded records: `read` are their Avro fields by path, `values` their whole bytes."""
        n = len(values.lengths)
        match self.source:
            case Field(path):
                return read[path]
            case IdOf(path):
                listed = read[path]
                assert isinstance(listed, Ragged)
                return pick_named(listed, self.name.partition(".")[2].encode())
            case Equals(path, text):
                told = read[path]
                assert isinstance(told, Strings)
                return same_bytes(told.data, told.starts, np.frombuffer(text.encode(), np.uint8)).astype(np.int8)
            case ValueDigest():
                return sha256_rows(b"", values.data, values.starts, values.lengths)
            case _:
                return absent_column(self.name, n)

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


def supplies(spec: RecordSpec, name: str) -> bool:
    """Whether records of this type fill the lane column of this name."""
    fields = {field["name"] for field in record_type(spec.record).schema["fields"]}
    return name == "kind" or _source(spec, name, fields) is not None


def _source(spec: RecordSpec, name: str, fields: set[str]) -> Source | None:
    for declared in (name, f"{name.partition('.')[0]}.*"):
        if declared in spec.columns:
            return spec.columns[declared]
    return Field(name) if name in fields else None
