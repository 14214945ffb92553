"""Records that are not in the run: set aside in the run's store with their places and reasons, each once, before its position is kept."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from assay.app.connect.batches import Fault
from assay.app.connect.positions import FOLDER
from assay.app.gate.card_numbers import masked_json
from assay.app.stores.objects import ObjectExists, ObjectStore


class SetAside:
    """The records of one partition that were set aside from an offset on. One object holds those of one checkpoint.

    `with_values`: their values are kept, too. A run that pseudonymises ids keeps none: nobody knows where in a value an id stands.
    """

    def __init__(self, store: ObjectStore, run_id: str, topic: str, partition: int, offset: int, *, with_values: bool = True) -> None:
        self._store, self._topic, self._partition = store, topic, partition
        self._folder = f"{folder_of(run_id, topic)}/{partition}"
        self._known = set(self._from(offset))
        self._lines: dict[int, bytes] = {}
        self._with_values = with_values

    def add(self, fault: Fault, value: bytes | None) -> None:
        """Note a record, without card numbers in clear; one that an earlier process wrote is left as it stands."""
        if fault.offset not in self._known:
            held = _as_it_came(masked_json(value or b"")) if self._with_values else {"value_bytes": len(value or b"")}
            told = {"topic": self._topic, "partition": self._partition, **fault._asdict(), **held}
            self._lines[fault.offset] = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    def flush(self) -> None:
        """Write what was noted, durably."""
        if self._lines:
            data = b"".join(line for _, line in sorted(self._lines.items()))
            with suppress(ObjectExists):  # another process wrote it since
                self._store.create(f"{self._folder}/{min(self._lines):020d}-{max(self._lines):020d}.jsonl", data)
            self._lines.clear()

    def _from(self, offset: int) -> Iterator[int]:
        """Offsets that earlier processes wrote behind the checkpoint: an object is named by its first and its last one."""
        for key in self._store.keys(f"{self._folder}/"):
            if int(key.removesuffix(".jsonl").rpartition("-")[2]) >= offset:
                yield from (int(json.loads(line)["offset"]) for line in self._store.read(key).splitlines())


def folder_of(run_id: str, topic: str) -> str:
    """Where the records of a topic that were set aside lie in the run's store."""
    return f"{FOLDER}/refused/{run_id}/{topic}"


def set_aside(store: ObjectStore, run_id: str, topic: str = "") -> Iterator[dict[str, Any]]:
    """All records that were set aside in a run, of one topic or of all."""
    for key in store.keys(f"{folder_of(run_id, topic)}/" if topic else f"{FOLDER}/refused/{run_id}/"):
        yield from map(json.loads, store.read(key).splitlines())


def _as_it_came(value: bytes) -> dict[str, str]:
    """Text as text; other bytes as base64."""
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"value_base64": base64.b64encode(value).decode()}
