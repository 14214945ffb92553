"""Values of a record as the texts that a mapping reads, as if they stood in a CSV. Pure: no record depends on its neighbours."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason
from assay.contracts.strict_json import no_number, once

#: a number with more digits than this before or behind its point stays as it was written, and is refused as an amount
_DIGITS_MAX: Final = 40
_PLAIN: Final = "Send plain values: text, numbers, booleans, or objects of these, whose fields are named with points."


class Number(str):
    """A number that was written as a number, in plain digits: its point is one of decimals, never of thousands."""

    __slots__ = ()


def json_record(value: bytes) -> dict[str, Any]:
    """The object in a value: numbers are `Number`, each key stands once. Raises Quarantine(RECORD_UNREADABLE)."""
    try:
        found = _DECODER.decode(value.decode())
    except (ValueError, RecursionError) as error:
        raise unreadable(f"the value is no JSON: {error}", "Send one JSON object in UTF-8.") from None
    if not isinstance(found, dict):
        raise unreadable("the value is JSON, and no object", "Send one JSON object, whose fields are the columns of the mapping.")
    return found


def texts(record: Mapping[str, Any], columns: Iterable[str]) -> list[str | None]:
    """The text of each column; null for a field that is not there. Raises Quarantine(INPUT_COLUMN_TYPE) naming the column."""
    return [_text(_field(record, column), column) for column in columns]


def unreadable(what: str, remedy: str) -> Quarantine:
    """The refusal of a value that no column can be read from."""
    return Quarantine(Reason.RECORD_UNREADABLE, what, where="value", remedy=remedy)


def _field(record: Mapping[str, Any], column: str) -> Any:
    """A field of this whole name, else the field of an object: `payer.account` is `account` in `payer`."""
    if column in record or "." not in column:
        return record.get(column)
    outer, _, inner = column.partition(".")
    below = record.get(outer)
    return _field(below, inner) if isinstance(below, dict) else below


def _text(value: Any, column: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return Number(value)
    if isinstance(value, float):
        return _number(repr(value))
    if isinstance(value, Decimal):
        return _number(str(value))
    if isinstance(value, dt.date | dt.time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    what = f"the field holds {_kind(value)}"
    raise Quarantine(Reason.INPUT_COLUMN_TYPE, what, where=f"column '{column}'", remedy=_PLAIN)


def _kind(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return type(value).__name__


def _number(text: str) -> Number:
    """Digits without an exponent, and without zeros at the end of a fraction: `12.50` is `12.5`, `1e3` is `1000`."""
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent beyond all numbers
        return Number(text)
    if not value.is_finite() or abs(value.adjusted()) > _DIGITS_MAX:
        return Number(text)
    plain = format(value, "f")
    return Number(plain.rstrip("0").rstrip(".") if "." in plain else plain)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=once, parse_int=Number, parse_float=_number, parse_constant=no_number)
