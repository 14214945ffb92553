"""Objects that are published once, under a digest that readers hold them to."""

from __future__ import annotations

import hashlib
from typing import Protocol

from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class Readable(Protocol):
    """A store as far as it is read."""

    def read(self, key: str) -> bytes:
        """The whole object. Raises FileNotFoundError."""


def publish(store: ObjectStore, key: str, data: bytes) -> bool:
    """Write an object, durably; one of equal bytes may be there already. False where another one is: it stays."""
    try:
        store.create(key, data)
    except ObjectExists:
        return store.read(key) == data
    return True


def published_bytes(store: Readable, key: str, sha256: str, what: str, remedy: str) -> bytes:
    """The bytes of an object. sha256: 64 hex digits; what: the object in a sentence. Raises Stop(OBJECT_MISSING, DIGEST_MISMATCH)."""
    try:
        data = store.read(key)
    except FileNotFoundError:
        raise Stop(Reason.OBJECT_MISSING, f"{what} is missing", where=key, remedy=remedy) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Stop(Reason.DIGEST_MISMATCH, f"{what} is not the published one", where=key, remedy=remedy)
    return data
