"""Kafka headers of a record: its type and its schema, for readers with their own client. They say what the ten bytes before a body say.

Records of a topic that carries several types have them; a null and bytes of no type of today have none.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from assay.codecs.columns import Strings
from assay.codecs.single_object import RecordType, by_type, record_type, record_types
from assay.codecs.varint import text, varint
from assay.contracts.avro_schemas import fingerprint_hex
from assay.contracts.topics import topics

#: the record's name, and the fingerprint of its schema as 16 hex digits: the name of the file in `contracts/schemas/released`
RECORD_TYPE: Final = "record_type"
SCHEMA: Final = "schema_fingerprint"
#: a record's headers as they stand behind its value: their number, then each with its lengths
NO_HEADERS: Final = b"\0"


def has_headers(handle: str) -> bool:
    """Whether records of this topic have headers: it is one of ours and carries records of several types."""
    found = topics().get(handle)
    return found is not None and len(found.records) > 1


@cache
def headers_of(record: str) -> list[tuple[str, str | bytes | None]]:
    """The headers of a record type, by its name, in the form of a client. Raises Stop(SCHEMA_UNKNOWN)."""
    return [*_told(record_type(record)).items()]


def value_headers(value: bytes) -> list[tuple[str, str | bytes | None]] | None:
    """The headers of one value, None where it is of no type."""
    ((number, _),) = by_type(Strings.of([value]))
    return headers_of(record_types()[number].name) if number >= 0 else None


def framed_headers(values: Strings) -> Strings:
    """The headers of each value, framed for a record batch."""
    found = by_type(values)
    if len(found) == 1:
        return Strings.repeat(_framed(found[0][0]), len(values.lengths))
    kinds = Strings.of([_framed(number) for number, _ in found])
    chosen = np.zeros(len(values.lengths), np.int64)
    for at, (_, rows) in enumerate(found):
        chosen[rows] = at
    return kinds.take(chosen)


@cache
def _framed(number: int) -> bytes:
    """The headers of a type index, see `single_object.split`."""
    if number < 0:
        return NO_HEADERS
    told = _told(record_types()[number])
    return varint(len(told)) + b"".join(text(name) + text(value) for name, value in told.items())


def _told(known: RecordType) -> dict[str, str]:
    return {RECORD_TYPE: known.name, SCHEMA: fingerprint_hex(known.schema)}
