"""A body that is an Avro object container: records of one of the schemas of `contracts.ingest_schemas`.

Blocks go through the columns codec, which checks every byte, and become columns of the envelope and of the payload.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any, Final

import fastavro
import numpy as np
from numpy.typing import NDArray

from assay.app.gate.avro_container import FORM, Block, container_of
from assay.app.gate.body_items import as_object, instants_text, items_of_rows, unreadable
from assay.app.gate.plain_columns import by_name, plain_payments
from assay.app.gate.plain_payments import RECORD, PlainItem, PlainPayments
from assay.codecs.avro_decode import Decoder, size_class
from assay.codecs.avro_plan import AvroPlan, Places, compile_schema
from assay.codecs.columns import Columns, Ragged, Strings, concat
from assay.codecs.varint import varint
from assay.contracts.ingest_schemas import ENVELOPE_FIELDS, LEFT_OUT, PAIRS, FieldKind, ingest_schema, payload_fields, records
from assay.contracts.limits import ITEMS_MAX

#: a schema is a few KiB; one beyond this is not one of ours
SCHEMA_BYTES_MAX: Final = 64 << 10
#: names of an event that have room from the start
NAMES_ROOM: Final = 4
_REMEDY: Final = "Nothing was taken; write it with a schema that `assay contracts schema` prints."


def avro_items(body: bytes, items_max: int) -> list[bytes] | list[PlainItem]:
    """The events of a container in their order: rows of plain payments, or the envelopes in JSON that they are equal to.

    Raises Quarantine(BODY_INVALID), also for records of another schema, BODY_OVER_LIMIT, CODING_UNSUPPORTED.
    """
    container = container_of(body, items_max)
    record = record_of(container.schema)
    if not container.blocks:
        return []
    columns = decoded(record, container.blocks)
    batch = _plain(columns) if record == RECORD else None
    return json_items(record, columns) if batch is None else batch.items()


@lru_cache(maxsize=64)
def record_of(schema: bytes) -> str:
    """The record type that a schema in a header is of. Names, types and order count; comments, defaults and logical types do not."""
    if len(schema) > SCHEMA_BYTES_MAX:
        raise unreadable(FORM, f"its schema has {len(schema)} bytes", "avro.schema", _REMEDY)
    try:
        form = _form(json.loads(schema))
    except (ValueError, TypeError, KeyError, RecursionError, fastavro.schema.SchemaParseException, fastavro.schema.UnknownType) as error:
        raise unreadable(FORM, f"its schema cannot be read: {error!r:.200}", "avro.schema", _REMEDY) from None
    if form not in _forms():
        raise unreadable(FORM, f"its schema is none of {', '.join(_forms().values())}", "avro.schema", _REMEDY)
    return _forms()[form]


def decoded(record: str, blocks: Sequence[Block]) -> Columns:
    """The records of blocks as columns. Raises Quarantine(BODY_INVALID)."""
    framed = [varint(block.records) + block.data + b"\0" for block in blocks]  # a block is one list of Avro's then
    lengths = np.array([len(one) for one in framed], np.int64)
    plan = _plan(record)
    _make_room(plan, len(blocks))
    read = Decoder(plan).read(np.frombuffer(b"".join(framed), np.uint8), np.cumsum(lengths) - lengths, lengths)
    events = read.column("events")
    assert isinstance(events, Ragged)
    held = np.diff(events.offsets)
    bad = np.flatnonzero(held != [block.records for block in blocks])  # a block that cannot be read has an empty list
    if len(bad):
        at = int(bad[0])
        raise unreadable(FORM, f"block {at} does not hold the {blocks[at].records} records that it says", f"block {at}")
    return concat([events.children])


def json_items(record: str, columns: Columns) -> list[bytes]:
    """Each row of the columns of a record type as an envelope in JSON."""
    envelope = {name: _values(columns, name, *of) for name, of in ENVELOPE_FIELDS.items()}
    fields = payload_fields(record)
    names = tuple(fields)
    told = zip(*(_values(columns, f"payload.{name}", *of) for name, of in fields.items()), strict=True)
    payloads = [{name: value for name, value in zip(names, row, strict=True) if value is not None or name not in LEFT_OUT} for row in told]
    return items_of_rows(envelope, payloads)


def _plain(columns: Columns) -> PlainPayments | None:
    """Columns of payments as plain payments: each field that may be left out is there in all rows or in none."""
    head: dict[str, Any] = {}
    for name, (_, optional) in ENVELOPE_FIELDS.items():
        column = columns[name]
        there = column.lengths >= 0 if isinstance(column, Strings) else _numbers(columns[f"{name}?"]) if optional else np.ones(1)
        if there.any() != there.all():
            return None
        if there.any():
            head[name] = column
    told = _numbers(columns["payload.attributes?"])
    if told.any() != told.all():
        return None
    entities, attributes = (columns[f"payload.{name}"] for name in PAIRS)
    assert isinstance(entities, Ragged)
    assert isinstance(attributes, Ragged)
    groups = {"entities": by_name(entities, "entities"), "attributes": by_name(attributes, "attributes") if told.all() else {}}
    return plain_payments(head, {name: columns[f"payload.{name}"] for name in ("kind", "amount_minor", "currency")}, groups)


def _values(columns: Columns, path: str, kind: FieldKind, optional: bool) -> list[Any]:
    column = columns[path]
    if kind == "named":
        assert isinstance(column, Ragged)
        found: list[Any] = _objects(column, path.removeprefix("payload."))
    elif isinstance(column, Strings):
        found = column.text()
    elif kind == "instant":
        found = instants_text(_numbers(column))
    else:
        found = [bool(value) for value in _numbers(column)] if kind == "bool" else _numbers(column).tolist()
    if not optional or isinstance(column, Strings):
        return found
    return [value if there else None for value, there in zip(found, _numbers(columns[f"{path}?"]), strict=True)]


def _objects(lists: Ragged, name: str) -> list[Any]:
    _, first, second = PAIRS[name]
    pairs = list(zip(_texts(lists, first), _texts(lists, second), strict=True))
    offsets = lists.offsets.tolist()
    return [as_object(pairs[start:end]) for start, end in pairwise(offsets)]


def _texts(lists: Ragged, name: str) -> list[str]:
    return [text or "" for text in lists.children[name].text()]


def _numbers(column: Any) -> NDArray[Any]:
    assert isinstance(column, np.ndarray)
    return column


def _make_room(plan: AvroPlan, blocks: int) -> None:
    """Room for as many events as a body may hold, and for some names of each: a decoder that has to make more begins the block again."""
    size = size_class(blocks)
    if size not in plan.places:
        capacity = np.full(plan.levels, NAMES_ROOM * ITEMS_MAX, np.int64)
        capacity[:2] = size, ITEMS_MAX
        plan.places[size] = Places.of(plan, capacity)


@cache
def _plan(record: str) -> AvroPlan:
    events = {"name": "events", "type": {"type": "array", "items": ingest_schema(record)}}
    return compile_schema({"type": "record", "name": "block", "fields": [events]})


@cache
def _forms() -> Mapping[str, str]:
    return {_form(dict(ingest_schema(record))): record for record in records()}


def _form(schema: Any) -> str:
    return str(fastavro.schema.to_parsing_canonical_form(schema))
