"""A record batch of Arrow as plain payments, where it is one: texts are strings, and each column is there in all rows or in none."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from assay.app.gate.plain_columns import plain_payments
from assay.app.gate.plain_payments import PlainPayments
from assay.codecs.columns import Strings

_FIELDS: Final = ("kind", "amount_minor", "currency")
_TIMES: Final = np.dtype("M8[us]")
_GROUPS: Final = ("entities", "attributes")


def plain_batch(batch: Any) -> PlainPayments | None:
    """The rows of a valid record batch, None where they are not plain payments."""
    from pyarrow import types

    if not batch.num_rows or "payload" not in batch.schema.names or not types.is_struct(batch.column("payload").type):
        return None
    head = _columns(batch, batch.schema.names, ("payload",))
    payload = _members(batch.column("payload"))
    names = {field.name for field in batch.column("payload").type}  # a null of an unknown field is a value, and refused
    if head is None or payload is None or not {*_FIELDS, "entities"}.issubset(payload) or not {*_FIELDS, *_GROUPS}.issuperset(names):
        return None
    groups: dict[str, Any] = {name: _texts(payload.get(name)) for name in _GROUPS}
    fields = {name: payload[name] for name in _FIELDS}
    times = head.get("ts_utc")
    if not isinstance(times, np.ndarray) or times.dtype != _TIMES:
        return None
    return plain_payments({**head, "ts_utc": times.view(np.int64)}, fields, groups)


def _columns(of: Any, names: Any, without: tuple[str, ...] = ()) -> dict[str, Any] | None:
    """Columns that are there; None where one is there in some rows alone, or has a type that is not plain."""
    found: dict[str, Any] = {}
    for name in names:
        column = of.column(name) if name not in without else None
        if column is None or column.null_count == len(column):
            continue
        told = None if column.null_count else _column(column)
        if told is None:
            return None
        found[name] = told
    return found


def _column(column: Any) -> Any:
    """Strings, times as M8[us], numbers as int64, or the struct as it is; None for any other type."""
    from pyarrow import types

    kind = column.type
    if types.is_struct(kind):
        return column
    if types.is_string(kind) or types.is_large_string(kind):
        return _strings(column, np.int32 if types.is_string(kind) else np.int64)
    if types.is_timestamp(kind) or types.is_int64(kind):
        numbers = np.asarray(column.cast("int64"), np.int64)
        return numbers.view("M8[us]") if types.is_timestamp(kind) else numbers
    return None


def _strings(column: Any, width: type) -> Strings:
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, width)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    held = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return Strings(held, ends[:-1], np.diff(ends).astype(np.int32))


class _Struct:
    """The fields of a struct as columns."""

    def __init__(self, struct: Any) -> None:
        self._names = [field.name for field in struct.type]
        self._columns = dict(zip(self._names, struct.flatten(), strict=True))

    def column(self, name: str) -> Any:
        """The column of a field."""
        return self._columns[name]


def _members(struct: Any) -> dict[str, Any] | None:
    if struct.null_count:
        return None
    return _columns(_Struct(struct), [field.name for field in struct.type])


def _texts(group: Any) -> dict[str, Strings] | None:
    """The names of a group, none for no group; None for a group that has others than texts."""
    if group is None:
        return {}
    members = None if isinstance(group, Strings | np.ndarray) else _members(group)
    return members if members is not None and all(isinstance(column, Strings) for column in members.values()) else None
