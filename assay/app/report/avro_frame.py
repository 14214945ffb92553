"""Columns to a polars frame by way of an Avro file in memory: both ends are machine code, so no row becomes a Python object."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import fastavro
import polars as pl

from assay.codecs.avro_encode import encode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.columns import Columns, rows

_SYNC = bytes(16)


class AvroFrame:
    """Frames of one shape. `types` maps a column's name to its Avro type."""

    def __init__(self, types: Mapping[str, Any]) -> None:
        self._schema = {"type": "record", "name": "row", "fields": [{"name": name, "type": kind} for name, kind in types.items()]}
        self._plan = compile_schema(self._schema)

    @cached_property
    def _head(self) -> bytes:
        """What the file begins with: its schema."""
        head = io.BytesIO()
        fastavro.writer(head, self._schema, [], sync_marker=_SYNC)
        return head.getvalue()

    def of(self, columns: Columns) -> pl.DataFrame:
        """The frame that holds these columns."""
        body = encode(self._plan, columns).compact().data.tobytes()
        file = io.BytesIO()
        file.write(self._head)
        for number in (rows(columns), len(body)):
            fastavro.schemaless_writer(file, "long", number)
        file.write(body + _SYNC)
        file.seek(0)
        return pl.read_avro(file)
