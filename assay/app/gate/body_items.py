"""Events that came as columns, written as the envelopes in JSON that they are equal to: checks of these are checks of those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason


def items_of_rows(envelope: Mapping[str, Sequence[Any]], payloads: Sequence[Mapping[str, Any] | None]) -> list[bytes]:
    """One envelope per row. A field of the envelope that is None is left out."""
    names = tuple(envelope)
    items = []
    for values, payload in zip(zip(*envelope.values(), strict=True), payloads, strict=True):
        event = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        if payload is not None:
            event["payload"] = payload
        items.append(msgspec.json.encode(event))
    return items


def instants_text(ts_us: NDArray[np.int64]) -> list[str]:
    """Each time in microseconds as text with six digits and `Z`. A time beyond the years that have a text gives one that is refused."""
    return [f"{text}Z" for text in np.datetime_as_string(ts_us.view("M8[us]"), unit="us").tolist()]


def as_object(pairs: Sequence[tuple[str, str]]) -> Mapping[str, str] | msgspec.Raw:
    """Names and values as an object that has each name as often as it is there: a name that is there twice is to be seen."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    members = [msgspec.json.encode(name) + b":" + msgspec.json.encode(value) for name, value in pairs]
    return msgspec.Raw(b"{" + b",".join(members) + b"}")


def unreadable(form: str, what: str, where: str = "$", remedy: str = "") -> Quarantine:
    """The refusal of a body as a whole: its container cannot be read."""
    remedy = remedy or f"Nothing was taken; send {form} as docs/gate.md describes it."
    return Quarantine(Reason.BODY_INVALID, f"the body is not {form}: {what}", where=where, remedy=remedy)


def check_count(items: int, items_max: int) -> None:
    """Raises Quarantine(BODY_OVER_LIMIT)."""
    if items > items_max:
        what = f"the batch holds {items} items, {items_max} are taken"
        raise Quarantine(Reason.BODY_OVER_LIMIT, what, remedy="Send smaller batches.")
