"""A gate and a store in this process that take what a topic is fed with, and end their caller where a test says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assay.app.stores.objects import DirectoryStore


class Killed(BaseException):
    """The process ends here."""


class Fate:
    """When a process is killed: `kill_at` are numbers of calls and writes, each before or after it has its effect.

    After that the process does nothing more, until it is `reborn`.
    """

    def __init__(self) -> None:
        self.kill_at: dict[int, str] = {}
        self._done, self._dead = 0, False

    def begins(self) -> None:
        """A call or write begins."""
        self._done += 1
        self._end_if(self._dead or self.kill_at.get(self._done) == "before")

    def ends(self) -> None:
        """It has had its effect."""
        self._end_if(self.kill_at.get(self._done) == "after")

    def reborn(self) -> None:
        """Another process."""
        self._dead = False

    def _end_if(self, now: bool) -> None:
        if now:
            self._dead = True
            raise Killed


class FatedStore(DirectoryStore):
    """A folder whose writer may be killed."""

    def __init__(self, root: Path, fate: Fate) -> None:
        super().__init__(root)
        self._fate = fate

    def create(self, key: str, data: bytes) -> None:
        """As `DirectoryStore`."""
        self._fate.begins()
        super().create(key, data)
        self._fate.ends()

    def replace(self, key: str, data: bytes) -> None:
        """As `DirectoryStore`."""
        self._fate.begins()
        super().replace(key, data)
        self._fate.ends()


class FedGate:
    """Admits each id once, refuses an id with another payload, and those that are told."""

    def __init__(self, fate: Fate | None = None) -> None:
        self.fate = fate or Fate()
        self.admitted: list[str] = []
        self.payloads: dict[str, Any] = {}
        self.refused: set[str] = set()
        self.paths: list[str] = []

    async def post(self, path: str, body: bytes) -> dict[str, Any]:
        """Take a call."""
        self.fate.begins()
        self.paths.append(path)
        counts, results = {"ADMIT": 0, "DUPLICATE": 0, "QUARANTINE": 0}, []
        for item in json.loads(body):
            event_id, payload = item["event_id"], item["payload"]
            told = "ADMIT" if event_id not in self.payloads else "DUPLICATE" if self.payloads[event_id] == payload else "QUARANTINE"
            if event_id in self.refused:
                told = "QUARANTINE"
            counts[told] += 1
            if told == "ADMIT":
                self.admitted.append(event_id)
                self.payloads[event_id] = payload
            else:
                fields = {"error": "PAYLOAD_HASH_MISMATCH", "detail": "another", "where": "$", "remedy": "r"}
                results.append({"admission": told, "event_id": event_id, **fields})
        self.fate.ends()
        return {"counts": counts, "results": results}
