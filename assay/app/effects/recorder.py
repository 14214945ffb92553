"""The recording effector: an action is done when its line is durable in a log that can be asked by key.

One line each: hex key, kind of action, event id. An id may hold anything, a line break with a key behind it too, so
all but plain ASCII is escaped: no id makes a line of its own, and a line cut off anywhere can be read. A batch is one
write and one fsync; a line cut off by a crash, or with a gap in it, was never acknowledged and does not count.

Every writer has a file of its own: nobody waits for one that sleeps. A new one creates the next file first and then notes
in it how far each file before it counts. So a writer that sees no later file behind its write is counted whenever that
note is made, and one that slept through a takeover sees the later file, and stops: what it wrote is not counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import count, takewhile
from pathlib import Path

import numpy as np

from assay.agents.step import EffectResults, Effects
from assay.app.stores.durable import append, make_directory, sync_directory, sync_file
from assay.codecs.columns import Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_KEY_CHARS = 64
_NOTE = b"# "
#: what a power failure leaves in the place of data that was not flushed
_GAP = b"\0"


class Recorder:
    """Acts by writing to the files of one log; `path` is the first of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0

    async def execute(self, effects: Effects) -> EffectResults:
        """Record every effect once. A failed write raises: the lane stops with its answers unknown and asks after restart."""
        return await asyncio.get_running_loop().run_in_executor(None, self.record, effects)

    def record(self, effects: Effects) -> EffectResults:
        """The same without an event loop. Raises Stop(LANE_TAKEN_OVER) when there is a later writer."""
        self._number = self._number or self._begin()
        text, n = effects.idempotency_key.tobytes().hex(), len(effects.idempotency_key)
        keys = [text[at : at + _KEY_CHARS] for at in range(0, n * _KEY_CHARS, _KEY_CHARS)]
        done = self._done(set(keys)) if effects.ask_first else frozenset()
        rows = zip(keys, effects.action_kind.text(), effects.source_event_id.text(), strict=True)
        lines = [f"{key} {kind} {str(event).encode('unicode_escape').decode()}\n" for key, kind, event in rows if key not in done]
        append(_file(self._path, self._number), "".join(lines).encode())
        if _file(self._path, self._number + 1).exists():
            raise Stop(
                Reason.LANE_TAKEN_OVER,
                "another worker has begun to act",
                where=str(self._path),
                remedy="Nothing is lost: what this one was about to do is asked for by its key there.",
            )
        return EffectResults(
            Strings.repeat(b"EXECUTED", n),
            np.ones(n, np.int32),
            Strings.repeat(b"", n),
            Strings.of([f"recorder:{key[:16]}" for key in keys]),
        )

    def _begin(self) -> int:
        """The number of a new file, which is there before it says how far those before it count."""
        make_directory(self._path.parent, self._path.parent)
        number = len(_files(self._path)) + 1
        try:
            _file(self._path, number).touch(exist_ok=False)
        except FileExistsError:
            return self._begin()
        sync_directory(self._path.parent)
        before = _files(self._path)[: number - 1]
        if before:
            noted = _noted(before)
            for file in before:
                sync_file(file)  # its writer may have ended before it did this, and its lines count from now on
            ends = [*noted, *(file.stat().st_size for file in before[len(noted) :])]
            append(_file(self._path, number), _NOTE + " ".join(map(str, ends)).encode() + b"\n")
        return number

    def _done(self, asked: set[str]) -> frozenset[str]:
        """Which of these keys the log holds."""
        return frozenset(key for line in recorded(self._path) if (key := line[:_KEY_CHARS].decode("latin-1")) in asked)


def recorded(path: Path) -> Iterator[bytes]:
    """Every line that counts, without its end, oldest first; `path` is the first file of a log."""
    files = _files(path)
    noted = _noted(files)
    for number, file in enumerate(files):
        left = noted[number] if number < len(noted) else file.stat().st_size
        with file.open("rb") as log:
            for line in log:
                left -= len(line)
                if left < 0 or not line.endswith(b"\n"):
                    break
                if not line.startswith(_NOTE) and _GAP not in line:
                    yield line[:-1]


def _noted(files: Sequence[Path]) -> list[int]:
    """How many bytes of the first files count, by the newest of them that says so; the files after those count whole."""
    for file in reversed(files):
        with file.open("rb") as log:
            note = log.readline()
        if note.startswith(_NOTE) and note.endswith(b"\n") and _GAP not in note:
            return [int(end) for end in note[len(_NOTE) :].split()]
    return []


def _file(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.name}.{number}")


def _files(path: Path) -> list[Path]:
    """All files of a log, in the order of their writers."""
    return list(takewhile(Path.exists, (_file(path, number) for number in count(1))))
