"""Names of things in bytes: every run of 32 or more hex digits, which all ids and digests of a run are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from assay.app.stores.objects import ObjectStore

_NAME = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{32})(?![0-9a-f])")


def names_in(data: bytes) -> set[str]:
    """The ids and digests in some bytes."""
    return {found.decode() for found in _NAME.findall(data)}


def names_in_store(store: ObjectStore, prefix: str = "") -> set[str]:
    """Those in keys and objects below a prefix."""
    found: set[str] = set()
    for key in store.keys(prefix):
        found |= names_in(key.encode()) | names_in(store.read(key))
    return found


def names_in_records(records: Iterable[Any]) -> set[str]:
    """Those in records as they are read from a bus."""
    return names_in(json.dumps(list(records), default=lambda value: value.hex() if isinstance(value, bytes) else str(value)).encode())
