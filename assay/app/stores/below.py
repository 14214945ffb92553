"""The objects below a prefix of a store, as a store of their own."""

from __future__ import annotations

from collections.abc import Iterator

from assay.app.stores.objects import ObjectStore


class StoreBelow:
    """Keys are relative to the prefix. Raises what the store raises."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store, self._prefix = store, f"{prefix.rstrip('/')}/"

    def create(self, key: str, data: bytes) -> None:
        """Write once."""
        self._store.create(self._prefix + key, data)

    def replace(self, key: str, data: bytes) -> None:
        """Write or overwrite."""
        self._store.replace(self._prefix + key, data)

    def swap(self, key: str, data: bytes, expected: bytes | None) -> None:
        """Replace the object if it is the expected one."""
        self._store.swap(self._prefix + key, data, expected)

    def read(self, key: str) -> bytes:
        """The whole object."""
        return self._store.read(self._prefix + key)

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys below a folder in ascending order."""
        for key in self._store.keys((self._prefix + prefix).rstrip("/")):
            yield key.removeprefix(self._prefix)

    def make_durable(self, prefix: str) -> None:
        """All objects seen below a folder are durable on return."""
        self._store.make_durable((self._prefix + prefix).rstrip("/"))
