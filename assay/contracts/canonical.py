"""Canonical JSON: one sequence of bytes per value, and the digests taken over it.

Keys sorted by code point, everything outside ASCII escaped, separators `,` and `:`. Floats are refused: their text depends on who prints
it.

This is not RFC 8785, and the library `rfc8785` cannot replace it: ids and digests would change. The bytes are equal for printable ASCII
and small integers only. RFC 8785 writes UTF-8 and the character DEL as they are, sorts keys by UTF-16 code units, and refuses an integer
of 2^53 or more (a seed goes up to 2^63 - 1) and a lone surrogate.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

_ENCODER = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
_SCALARS = (str, bool, int, type(None))


def canonical(value: Any) -> bytes:
    """Canonical bytes of a value made of str, int, bool, None, lists and str-keyed mappings.

    Raises Quarantine(VALUE_NOT_CANONICAL) naming the path of a float, a key that is not a string, or any other type.
    """
    _refuse_inexact(value, "$")
    return _ENCODER.encode(value).encode("ascii")


def digest(value: Any) -> bytes:
    """sha256 of the canonical bytes: 32 bytes."""
    return hashlib.sha256(canonical(value)).digest()


def document_digest(document: Any) -> bytes:
    """sha256 of a policy document, 32 bytes: canonical JSON in which a fraction is its shortest text that reads back equal.

    For documents only (features, rules, mappings). Records hold no fractions: use `digest`.
    """
    return hashlib.sha256(document_bytes(document)).digest()


def document_bytes(document: Any) -> bytes:
    """The bytes that `document_digest` is taken over. Raises ValueError for a number that is infinite or none."""
    return _ENCODER.encode(document).encode("ascii")


def hex64(value: Any) -> str:
    """The digest as 64 lower-case hex digits."""
    return digest(value).hex()


def _refuse_inexact(value: Any, path: str) -> None:
    if isinstance(value, _SCALARS):
        return
    if isinstance(value, Mapping):
        for key, child in value.items():
            if not isinstance(key, str):
                raise _refusal(f"the key {key!r} at {path} is not a string")
            if not isinstance(child, _SCALARS):
                _refuse_inexact(child, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, child in enumerate(value):
            if not isinstance(child, _SCALARS):
                _refuse_inexact(child, f"{path}[{index}]")
    else:
        raise _refusal(f"{path} holds {value!r} of type {type(value).__name__}")


def _refusal(what: str) -> Quarantine:
    return Quarantine(Reason.VALUE_NOT_CANONICAL, what, remedy="Use integers, strings, booleans, null, lists and objects only.")
