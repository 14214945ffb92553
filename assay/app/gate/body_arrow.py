"""A body that is an Arrow stream (IPC streaming format): a column per field of the envelope, and the payload as a struct.

Entities and attributes are structs with a column per name; null is a name that the row does not have. Texts may be plain, large, views or
dictionaries; times are `timestamp[us, tz=UTC]` or the text that JSON has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from assay.app.gate.arrow_messages import KINDS, is_packed
from assay.app.gate.body_items import check_count, instants_text, items_of_rows, unreadable
from assay.app.gate.plain_arrow import plain_batch
from assay.app.gate.plain_payments import PlainItem
from assay.contracts.errors import Quarantine
from assay.contracts.ingest_schemas import LEFT_OUT
from assay.contracts.limits import BODY_BYTES_MAX, COLUMNS_MAX, NESTING_MAX
from assay.contracts.reasons import Reason

FORM: Final = "an Arrow stream"
#: what a stream ends with, so that one that was cut off is seen
_END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_PACKED: Final = "Write it without compression, and pack the body by Content-Encoding."
_PAYLOAD: Final = "payload"


def arrow_items(body: bytes, items_max: int) -> list[bytes | PlainItem]:
    """The events of a stream in their order: rows of plain payments, or the envelopes in JSON that they are equal to.

    Raises Quarantine(BODY_INVALID | BODY_OVER_LIMIT | NESTING_TOO_DEEP).
    """
    found: list[bytes | PlainItem] = []
    for batch in batches_of(body, items_max):
        plain = plain_batch(batch)
        found += _items(batch) if plain is None else plain.items()
    return found


def batches_of(body: bytes, items_max: int) -> list[Any]:
    """The record batches of a stream, each validated to the last byte. Raises as `arrow_items` does."""
    import pyarrow as pa

    if not body.endswith(_END):
        raise unreadable(FORM, "it does not end with the mark of its end")
    try:
        _check_messages(body, items_max)
        batches, items = [], 0
        source = pa.BufferReader(body)
        with pa.ipc.open_stream(source) as reader:
            _check_schema(reader.schema)
            for batch in reader:
                check_count(items := items + batch.num_rows, items_max)
                batch.validate(full=True)
                batches.append(batch)
        if source.tell() != len(body):
            raise unreadable(FORM, "it goes on behind its end", f"byte {source.tell()}")
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # names of columns are text, and are not validated
        raise unreadable(FORM, f"{error!s:.300}") from None
    return batches


def _check_messages(body: bytes, items_max: int) -> None:
    """Each message costs a reader some time, also one without rows: there are no more of them than items."""
    import pyarrow as pa

    for number, message in enumerate(pa.ipc.MessageReader.open_stream(pa.BufferReader(body))):
        check_count(number, items_max)
        if message.type in KINDS and is_packed(message.metadata.to_pybytes(), message.type):
            raise unreadable(FORM, "its buffers are packed", "$", _PACKED)


def _check_schema(schema: Any) -> None:
    import pyarrow as pa

    if not set(schema.names) - {_PAYLOAD}:
        raise unreadable(FORM, "it has no column of an envelope")
    columns = _check_type(pa.struct(list(schema)), "$", 0)
    if columns > COLUMNS_MAX:
        raise Quarantine(Reason.BODY_OVER_LIMIT, f"the body has {columns} columns, {COLUMNS_MAX} are taken", remedy="Leave some out.")


def _check_type(kind: Any, where: str, depth: int) -> int:
    """How many columns there are in a column. Raises Quarantine(BODY_INVALID) for one that no field of an event can be read from."""
    from pyarrow import types

    if depth > NESTING_MAX:
        what, remedy = f"a column nests more than {NESTING_MAX} structs", "Send the columns that docs/gate.md describes."
        raise Quarantine(Reason.NESTING_TOO_DEEP, what, where="$", remedy=remedy)
    if types.is_struct(kind):
        names = [field.name for field in kind]
        if len(set(names)) != len(names):
            raise unreadable(FORM, "a column is there twice", where)
        return sum(_check_type(field.type, f"{where}.{field.name}", depth + 1) for field in kind)
    if not (_is_text(kind) or types.is_integer(kind) or types.is_boolean(kind) or types.is_null(kind) or _is_instant(kind)):
        what = f"the column has the type {kind}, which no field of an event has"
        remedy = "Nothing was taken; cast it to text, a whole number, a boolean, timestamp[us, tz=UTC] or a struct of these."
        raise unreadable(FORM, what, where, remedy)
    return 1


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    told = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(told) or types.is_large_string(told) or types.is_string_view(told))


def _is_instant(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_timestamp(kind) and kind.unit == "us" and kind.tz == "UTC")


def _items(batch: Any) -> list[bytes]:
    columns = {name: batch.column(name) for name in batch.schema.names}
    payload = columns.pop(_PAYLOAD, None)
    payloads = [None] * batch.num_rows if payload is None else _values(payload, _PAYLOAD)
    return items_of_rows({name: _values(column, name) for name, column in columns.items()}, payloads)


def _values(column: Any, name: str) -> list[Any]:
    """The values of a column as JSON has them, None where there is none."""
    from pyarrow import types

    if types.is_struct(column.type):
        return list(_objects(column, name))
    if _is_text(column.type):
        return _texts(column)
    if types.is_timestamp(column.type):
        told = instants_text(np.asarray(column.cast("int64").fill_null(0), np.int64))
        return [text if there else None for text, there in zip(told, column.is_valid().to_pylist(), strict=True)]
    return list(column.to_pylist())


def _texts(column: Any) -> list[Any]:
    """Rows of dictionaries and of views may share bytes: how many they are together is known before they are made."""
    from pyarrow import compute, types

    if types.is_dictionary(column.type):
        words = column.dictionary.to_pylist()
        sizes = np.array([0 if word is None else len(word) for word in words], np.int64)
        held = int(sizes[np.asarray(column.indices.drop_null(), np.int64)].sum())
        if held <= BODY_BYTES_MAX:
            return [None if at is None else words[at] for at in column.indices.to_pylist()]
    else:
        held = _view_bytes(column) if types.is_string_view(column.type) else compute.sum(compute.binary_length(column)).as_py() or 0
        if held <= BODY_BYTES_MAX:
            return list(column.to_pylist())
    raise Quarantine(
        Reason.BODY_OVER_LIMIT, f"the body is over {BODY_BYTES_MAX} bytes when it is written out", remedy="Send smaller batches."
    )


def _view_bytes(column: Any) -> int:
    """Bytes of all texts that are there; a view is 16 bytes, the first four are its length."""
    views = np.frombuffer(column.buffers()[1], np.int32).reshape(-1, 4)[column.offset : column.offset + len(column), 0]
    return int(views[np.asarray(column.is_valid())].sum(dtype=np.int64))


def _objects(column: Any, name: str) -> Iterator[dict[str, Any] | None]:
    """Structs as objects. In the payload itself a null is a value; in what is below, and for what is left out there, it is none."""
    names = [field.name for field in column.type]
    members = column.flatten()  # a null struct has nulls below
    keeps_null = name == _PAYLOAD
    told = zip(*(_values(member, below) for below, member in zip(names, members, strict=True)), strict=True)
    rows: Any = told if names else [()] * len(column)
    for there, values in zip(column.is_valid().to_pylist(), rows, strict=True):
        pairs = zip(names, values, strict=True)
        yield {key: value for key, value in pairs if value is not None or (keeps_null and key not in LEFT_OUT)} if there else None
