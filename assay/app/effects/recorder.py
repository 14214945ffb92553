"""The recording effector: an action is done when its line is durable in a log that can be asked by key.

One line each: hex key, kind of action, event id. An id may hold anything, a line break with a key behind it too, so
all but plain ASCII is escaped: no id makes a line of its own, and a line cut off anywhere can be read. A batch is one
write and one fsync; a line cut off by a crash was never acknowledged and is removed before the next write.

Writers take turns by a lock on the log. One that finds lines it did not write looks for its keys among them: a worker that
slept through a takeover must not do again what the next one has done.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from assay.agents.step import EffectResults, Effects
from assay.app.stores.objects import sync_directory
from assay.app.stores.turns import take_turn
from assay.codecs.columns import Strings

_KEY_CHARS = 64


class Recorder:
    """Acts by writing to one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written_to = 0

    async def execute(self, effects: Effects) -> EffectResults:
        """Record every effect once. A failed write raises: the lane stops with its answers unknown and asks after restart."""
        return await asyncio.get_running_loop().run_in_executor(None, self.record, effects)

    def record(self, effects: Effects) -> EffectResults:
        """The same without an event loop."""
        text, n = effects.idempotency_key.tobytes().hex(), len(effects.idempotency_key)
        keys = [text[at : at + _KEY_CHARS] for at in range(0, n * _KEY_CHARS, _KEY_CHARS)]
        with self._turn() as log:
            done = self._done(set(keys)) if effects.ask_first or log.tell() != self._written_to else frozenset()
            rows = zip(keys, effects.action_kind.text(), effects.source_event_id.text(), strict=True)
            lines = [f"{key} {kind} {str(event).encode('unicode_escape').decode()}\n" for key, kind, event in rows if key not in done]
            self._append(log, "".join(lines).encode())
        references = Strings.of([f"recorder:{key[:16]}" for key in keys])
        return EffectResults(Strings.repeat(b"EXECUTED", n), np.ones(n, np.int32), Strings.repeat(b"", n), references)

    def _done(self, asked: set[str]) -> frozenset[str]:
        """Which of these keys the log holds."""
        with self._path.open("rb") as log:
            return frozenset(key for line in log if line.endswith(b"\n") and (key := line[:_KEY_CHARS].decode("latin-1")) in asked)

    @contextmanager
    def _turn(self) -> Iterator[BinaryIO]:
        """The log at its end, for this writer alone; the kernel ends the turn of a writer that dies."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        created = not self._path.exists()
        with self._path.open("ab") as log:
            take_turn(log)
            log.seek(0, os.SEEK_END)
            yield log
            self._written_to = log.tell()
        if created:
            sync_directory(self._path.parent)

    def _append(self, log: BinaryIO, data: bytes) -> None:
        if log.tell() and not self._ends_whole():
            log.truncate(self._whole_lines())
            log.seek(0, os.SEEK_END)
        log.write(data)
        log.flush()
        os.fsync(log.fileno())

    def _ends_whole(self) -> bool:
        with self._path.open("rb") as log:
            log.seek(-1, os.SEEK_END)
            return log.read(1) == b"\n"

    def _whole_lines(self) -> int:
        return self._path.read_bytes().rfind(b"\n") + 1
