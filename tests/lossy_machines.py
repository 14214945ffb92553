"""A machine with one process whose power may fail at any flush; after it, whatever was answered has to be there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

import pytest
from lossy_disk import Chance, LossyDisk, everything, nothing, put_back, some


class Step(NamedTuple):
    """One thing a process is asked for (any number), and the flush at which it ends meanwhile: killed, or without power."""

    asked: int
    ends_at: int | None = None
    power_fails: bool = False


class Process(Protocol):
    """A part of assay that answers once something is durable."""

    def begin(self, room: Path) -> None:
        """Start on a folder. The process before this one has ended."""

    def act(self, asked: int) -> None:
        """Do one thing, and note what was answered."""

    def check(self, room: Path) -> None:
        """Assert that a process that starts on this folder has all that was answered, and nothing that was not asked for."""


class EndedError(BaseException):
    """The process ends here. No code of ours can catch it."""


class Machine:
    """Runs a process on a lossy disk below a folder. Every flush and every answer is a moment at which power may fail."""

    def __init__(self, process: Process, folder: Path, seed: int) -> None:
        self._process = process
        self._folder, self._numbers = folder, count()
        self._random = Random(seed)
        self._checking = False
        root = folder / "first"
        root.mkdir()
        self._disk = LossyDisk(root)
        self._end = Step(0)
        self._flushes = 0
        #: how often the process has ended
        self.ends = 0

    def live(self, steps: Sequence[Step]) -> None:
        """Do all steps, and check the disk at every moment of them."""
        with self._flushes_are_noted():
            self._process.begin(self._disk.root)
            for step in steps:
                self._end, self._flushes = step, 0
                try:
                    self._process.act(step.asked)
                except EndedError:
                    self.ends += 1
                    self._begin_again(step.power_fails)
                self._check_moment()
        self._disk.close()

    @contextmanager
    def _flushes_are_noted(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as monkeypatch:
            for name in ("fsync", "fdatasync"):
                monkeypatch.setattr(f"os.{name}", self._flush)
            yield

    def _flush(self, handle: int) -> None:
        if not self._checking:
            self._disk.before_flush = self._reach
            self._disk.flush(handle)

    def _reach(self) -> None:
        self._check_moment()
        if self._flushes == self._end.ends_at:
            raise EndedError
        self._flushes += 1

    def _begin_again(self, power_fails: bool) -> None:
        self._end = Step(0)
        if power_fails:
            room = self._room(some(self._random))
            self._disk.close()
            self._disk = LossyDisk(room)
        self._process.begin(self._disk.root)

    def _check_moment(self) -> None:
        for chance in (nothing, everything, some(self._random)):
            room = self._room(chance)
            self._checking = True
            try:
                self._process.check(room)
            finally:
                self._checking = False
            shutil.rmtree(room)

    def _room(self, chance: Chance) -> Path:
        """A new folder, with what is left of the one in use."""
        room = self._folder / str(next(self._numbers))
        put_back(self._disk.left(chance), room)
        return room
