"""A table's state as one value: a canonical header and raw little-endian arrays, so equal state has equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_PREFIX_BYTES = 8


def pack(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """8 bytes of header length, the header as canonical JSON, then the arrays in the order of their names."""
    names = sorted(arrays)
    held = {name: np.ascontiguousarray(arrays[name]) for name in names}
    forms = {name: {"dtype": held[name].dtype.str, "shape": list(held[name].shape)} for name in names}
    head = canonical({"state": dict(header), "arrays": forms})
    return b"".join([len(head).to_bytes(_PREFIX_BYTES, "little"), head, *(held[name].tobytes() for name in names)])


def unpack(value: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Header and (read-only) arrays. Raises Stop(STATE_UNREADABLE) when bytes are missing, left over or not ours."""
    try:
        end = _PREFIX_BYTES + int.from_bytes(value[:_PREFIX_BYTES], "little")
        head = json.loads(value[_PREFIX_BYTES:end])
        arrays: dict[str, NDArray[Any]] = {}
        for name, form in sorted(head["arrays"].items()):
            dtype, shape = np.dtype(form["dtype"]), tuple(form["shape"])
            if min(shape, default=0) < 0:
                raise ValueError("an array of less than nothing")
            count = int(np.prod(shape, dtype=np.int64))
            arrays[name] = np.frombuffer(value, dtype, count, end).reshape(shape)
            end += count * dtype.itemsize
        state: dict[str, Any] = head["state"]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise _refusal("cannot be read") from error
    if end != len(value):
        raise _refusal(f"has {len(value)} bytes where its header speaks of {end}")
    return state, arrays


def _refusal(what: str) -> Stop:
    return Stop(Reason.STATE_UNREADABLE, f"a table's state {what}", remedy="Rebuild it from the journal.")
