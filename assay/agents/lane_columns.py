"""The columns of a lane: their names, types and meaning. A step declares the columns it reads and writes by these names.

A name that ends in `*` stands for one column per entity of the policy: `entity.*` becomes `entity.customer`, `entity.terminal`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from assay.codecs.columns import Column, Ragged, Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class ColumnType(NamedTuple):
    """`form` is `number` (n,), `bytes` uint8 (n, width), `matrix` (n, any), `text` or `list`; `dtype` belongs to numbers and matrices.

    `items` are the columns of the items of a list, by name.
    """

    form: str
    dtype: Any = None
    width: int = 0
    #: value of a row whose record has no such field
    absent: int = 0
    items: Mapping[str, ColumnType] = MappingProxyType({})
    #: False for a value that is right only at the place of its row in the order of the fold, such as a slot: a held row cannot carry it
    lasting: bool = True


I8, I16, I32, I64 = (ColumnType("number", np.dtype(kind)) for kind in (np.int8, np.int16, np.int32, np.int64))
FLAG = ColumnType("number", np.dtype(np.bool_))
TEXT = ColumnType("text")
ID16, SHA256 = ColumnType("bytes", np.dtype(np.uint8), 16), ColumnType("bytes", np.dtype(np.uint8), 32)

#: every column of every lane
LANE_COLUMNS: Final = {
    # where a row comes from; every row has these
    "topic": I16,
    "partition": I32,
    "offset": I64,
    "ts_us": I64,
    # fields of input records
    "kind": I8,
    "event_id": TEXT,
    "event_type": TEXT,
    "payload_hash": SHA256,
    "source_order": I64,
    "amount_minor": I64,
    "currency": TEXT,
    "entity.*": TEXT,
    "subject_event_id": TEXT,
    "label": ColumnType("number", np.dtype(np.int8), absent=-1),
    "document": TEXT,
    "source_event_id": TEXT,
    "decision_id": ID16,
    "decision_sha256": SHA256,
    "action_id": ID16,
    "action_kind": TEXT,
    "idempotency_key": SHA256,
    # dedupe: number of the id; number of the payment a label speaks of; oldest number still known. Numbers rise from row to row
    "seen.ordinal": I64._replace(lasting=False),
    "seen.subject": I64._replace(lasting=False),
    "seen.oldest": I64._replace(lasting=False),
    # rows that were held: True for a row that went on without what it waited for
    "held.timed_out": FLAG,
    # entity graph: slot of the row's id of each entity, -1 where there is none
    "slot.*": ColumnType("number", np.dtype(np.int32), lasting=False),
    # features: values in the order of the feature document
    "features.longs": ColumnType("matrix", np.dtype(np.int64)),
    "features.doubles": ColumnType("matrix", np.dtype(np.float64)),
    # the posture in force at a row: its Avro body in a decision; whether it forbids ALLOW; whether no posture record came before
    "posture.stamp": TEXT,
    "posture.clamps": FLAG,
    "posture.missing": FLAG,
    # the number of the policy revision in force at a row, 0 for the policy that the run began with
    "policy.seq": I64,
    # the answer of the scorer: score in its unit, codes of reasons, and the points that features gave (see `scorer.py`)
    "score": I64,
    "reasons": ColumnType("list", items={"item": TEXT}),
    "contributions": ColumnType("list", items={"feature": TEXT, "points": I64}),
}

#: columns of every row, whatever the steps read
ORIGIN: Final = ("topic", "partition", "offset", "ts_us")
#: columns by which rows of equal times are ordered
ORDERING: Final = ("source_order", "event_id", "payload_hash")


def column_type(name: str) -> ColumnType:
    """The type of a column. Raises Stop(COLUMN_UNKNOWN)."""
    if not is_column(name):
        raise Stop(Reason.COLUMN_UNKNOWN, f"no lane has a column {name!r}", remedy="Declare it in agents/lane_columns.py.")
    return LANE_COLUMNS.get(name) or LANE_COLUMNS[f"{name.partition('.')[0]}.*"]


def is_column(name: str) -> bool:
    """Whether a lane can have a column of this name."""
    return name in LANE_COLUMNS or f"{name.partition('.')[0]}.*" in LANE_COLUMNS


def expanded(names: Iterable[str], entities: Sequence[str]) -> tuple[str, ...]:
    """The names with `*` replaced by every entity, in their order, each once."""
    found: dict[str, None] = {}
    for name in names:
        found |= dict.fromkeys([name.replace("*", entity) for entity in entities] if name.endswith("*") else [name])
    return tuple(found)


def absent_column(name: str, n: int) -> Column:
    """A column of n rows whose records have no such field: null texts, zeros, or the value the type states."""
    kind = column_type(name)
    if kind.form == "text":
        return Strings.nulls(n)
    if kind.form == "bytes":
        return np.zeros((n, kind.width), np.uint8)
    return np.full(n, kind.absent, kind.dtype)


#: whether a column is of a type and has n rows
Check: TypeAlias = Callable[[Column, int], bool]


def check_of(kind: ColumnType) -> Check:
    """The check of a type, made once for a column that is checked in every batch."""
    if kind.form == "text":
        return _is_text
    if kind.form == "list":
        return _list_check({name: check_of(item) for name, item in kind.items.items()})
    dtype, width = kind.dtype, kind.width
    if kind.form == "number":
        return lambda column, n: isinstance(column, np.ndarray) and column.dtype == dtype and column.shape == (n,)
    if kind.form == "bytes":
        return lambda column, n: isinstance(column, np.ndarray) and column.dtype == dtype and column.shape == (n, width)
    return lambda column, n: isinstance(column, np.ndarray) and column.dtype == dtype and column.ndim == 2 and len(column) == n


def _is_text(column: Column, n: int) -> bool:
    return isinstance(column, Strings) and len(column.lengths) == n


def _list_check(items: Mapping[str, Check]) -> Check:
    """The check of lists with these items."""

    def is_list(column: Column, n: int) -> bool:
        if not isinstance(column, Ragged) or len(column.offsets) != n + 1 or column.children.keys() != items.keys():
            return False
        listed = int(column.offsets[-1])
        return all(items[name](child, listed) for name, child in column.children.items())

    return is_list
