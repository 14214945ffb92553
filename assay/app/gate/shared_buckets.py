"""The buckets of all actors in memory that the processes of one gate share: a caller's limit counts once, whichever of them it meets.

The table is a file without a name, made by who starts the processes and handed on to each. It has sets of 16 places; the hash of an actor
says in which set its bucket stands. A place is two words of 8 bytes: the hash, and the time at which the bucket is full (`rates.taken`).
Each word is stored at once, so a process that is killed at any moment leaves the bucket of before its call or that of after it.
A set is changed under a record lock (fcntl), which ends with the process that has it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, Protocol, TypeVar

from assay.app.gate.rates import FULL, Limit, taken

WAYS: Final = 16
#: sets of a table: 1 MiB, room for 65,536 actors
SETS: Final = 4_096
_WORD: Final = 8
#: longer than any living process has the lock of a set; one that was stopped with it is passed by, and one of two calls may not be counted
_LOCK_WITHIN_S: Final = 0.005
T = TypeVar("T")


class Words(Protocol[T]):
    """Words of a table by their position."""

    def __getitem__(self, at: slice, /) -> Sequence[T]:
        """Some of them."""

    def __setitem__(self, at: int, value: T, /) -> None:
        """Store one."""


def new_table(sets: int = SETS) -> int:
    """The descriptor of an empty table. It is gone with the last process that has it."""
    if sys.platform == "linux":
        fd = os.memfd_create("assay-rates")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, sets * WAYS * 2 * _WORD)
    return fd


def step(keys: Words[int], full_s: Words[float], first: int, key: int, items: int, now_s: float, limit: Limit) -> float:
    """Take items from the bucket of a key in the set that begins at `first`; the seconds to wait.

    A key that is new takes an empty place, else that of the bucket which is full first: one that is full by now is the same as one that
    nobody remembers. Its place is empty while it changes hands.
    """
    here, times = list(keys[first : first + WAYS]), list(full_s[first : first + WAYS])
    if key in here:
        at = here.index(key)
        after_s, wait_s = taken(times[at], items, now_s, limit)
        if not wait_s:
            full_s[first + at] = after_s
        return wait_s
    after_s, wait_s = taken(FULL, items, now_s, limit)
    at = first + (here.index(0) if 0 in here else times.index(min(times)))
    keys[at] = 0
    full_s[at] = after_s
    keys[at] = key
    return wait_s


def key_of(actor: str) -> int:
    """Eight bytes that stand for an actor, never 0: that is an empty place."""
    return int.from_bytes(blake2b(actor.encode("utf-8", "surrogatepass"), digest_size=_WORD).digest(), sys.byteorder) or 1


class SharedBuckets:
    """One process's view of a table. Not for several threads. `fd` stays open as long as the view."""

    def __init__(self, fd: int) -> None:
        size = os.fstat(fd).st_size
        self._fd, self._sets = fd, size // (WAYS * 2 * _WORD)
        words = memoryview(mmap.mmap(fd, size))
        self._keys, self._full_s = words[: size // 2].cast("Q"), words[size // 2 :].cast("d")

    def take(self, actor: str, items: int, now_s: float, limit: Limit) -> float:
        """Take items of an actor's bucket; the seconds to wait. All processes of a machine share the monotonic clock of `now_s`."""
        key = key_of(actor)
        first = key % self._sets * WAYS
        locked = self._lock(first)
        try:
            return step(self._keys, self._full_s, first, key, items, now_s, limit)
        finally:
            if locked:
                fcntl.lockf(self._fd, fcntl.LOCK_UN, WAYS * _WORD, first * _WORD)

    def _lock(self, first: int) -> bool:
        until_s = 0.0
        while True:
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, WAYS * _WORD, first * _WORD)
            except OSError:  # another process has it
                until_s = until_s or time.monotonic() + _LOCK_WITHIN_S
                if time.monotonic() > until_s:
                    return False
                os.sched_yield()
            else:
                return True
