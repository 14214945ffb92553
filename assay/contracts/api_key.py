"""How a call carries its key, at the gate and at the worker's web view: a header of its own, or a bearer token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

KEY_HEADER: Final = "X-IG-Api-Key"
_AUTHORIZATION: Final = "Authorization"
_BEARER: Final = "bearer "


def key_of(headers: Mapping[str, str]) -> bytes:
    """The key that a call gives, empty for none. `headers` finds a name in any case; its own header wins over a bearer token."""
    given = headers.get(KEY_HEADER, "")
    token = headers.get(_AUTHORIZATION, "")
    if not given and token[: len(_BEARER)].lower() == _BEARER:
        given = token[len(_BEARER) :].strip()
    return given.encode("utf-8", "surrogateescape")
