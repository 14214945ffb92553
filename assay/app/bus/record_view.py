"""One record of any topic as a person reads it: hex ids, RFC 3339 times, long bytes as a summary, refusals with their reason."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from assay.codecs.columns import Ragged, Strings
from assay.codecs.columns_bytes import columns_from_bytes
from assay.codecs.single_object import unpack
from assay.contracts import instants
from assay.contracts.avro_schemas import current
from assay.contracts.errors import AssayError

#: bytes up to a digest's length are ids and print as hex
_ID_BYTES_MAX: Final = 32


def shown(value: bytes | None) -> tuple[str, Any]:
    """(record name, JSON-ready value) of a record's bytes.

    Never raises for content: what cannot be decoded comes as ("refused", {reason, detail, bytes…}), null as ("tombstone", None).
    """
    if value is None:
        return "tombstone", None
    try:
        name, record = unpack(value)
    except AssayError as refused:
        return "refused", {"reason": refused.reason.value, "detail": refused.what, "raw": summary(value)}
    if name == "journal_record":
        record["columns"] = _columns(record["columns"])
    return name, plain(record)


def plain(value: Any, name: str = "") -> Any:
    """A decoded value of a field as JSON has it."""
    if isinstance(value, dict):
        return {field: plain(child, field) for field, child in value.items()}
    if isinstance(value, list):
        return [plain(child, name) for child in value]
    if isinstance(value, bytes):
        return value.hex() if len(value) <= _ID_BYTES_MAX else summary(value)
    if isinstance(value, int) and name in _instant_fields():
        return _instant(value)
    return value


def _instant(ts_us: int) -> str | int:
    """Beyond the calendar, the number itself: the end of time of a final mark is no date."""
    try:
        return instants.text(ts_us)
    except OverflowError:
        return ts_us


@cache
def _instant_fields() -> frozenset[str]:
    return frozenset(name for schema in current().values() for name in _times(schema, ""))


def _times(schema: Any, name: str) -> Iterator[str]:
    """Names of the fields below a schema node that are instants."""
    if isinstance(schema, dict):
        if schema.get("logicalType") == "timestamp-micros":
            yield name
        for field in schema.get("fields", []):
            yield from _times(field["type"], field["name"])
        yield from _times(schema.get("items"), name)
        yield from _times(schema["type"], name)


def summary(value: bytes) -> dict[str, Any]:
    """Length, digest and the first bytes, as hex."""
    return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest(), "first": value[:_ID_BYTES_MAX].hex()}


def _columns(value: bytes) -> dict[str, Any]:
    """Size of a journal record's columns and the kind of each."""
    try:
        columns = columns_from_bytes(value) if value else {}
    except AssayError as refused:
        return {"bytes": len(value), "refused": refused.reason.value, "detail": refused.what}
    return {"bytes": len(value), "columns": {name: _kind(column) for name, column in columns.items()}}


def _kind(column: Any) -> str:
    if isinstance(column, Strings):
        return "strings"
    return f"lists of {', '.join(column.children)}" if isinstance(column, Ragged) else f"{column.dtype}{list(column.shape[1:]) or ''}"
