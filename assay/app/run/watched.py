"""What files say, read again when one of them changed: a change needs no restart."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

from assay.contracts.errors import AssayError

T = TypeVar("T")
#: (inode, time of change in ns, size) of each file
_Version = tuple[tuple[int, int, int], ...] | None
log = logging.getLogger("assay.keys")


class Watched(Generic[T]):
    """The value of some files. While they cannot be read, the value that was read last stays; `told` says so in the log, once."""

    def __init__(self, files: Iterable[Path], first: T, read: Callable[[T], T], told: str) -> None:
        """`read` makes the value, given the one before. Raises AssayError or OSError where it cannot."""
        self._files, self._value, self._read, self._told = tuple(map(str, files)), first, read, told
        self._seen: _Version = None  # the first value may have been read before a change
        self._said = False  # of the fault that lasts

    def look(self) -> T:
        """The value, read again if a file changed."""
        version = _version(self._files)
        if version == self._seen:
            return self._value
        try:
            value = self._read(self._value)
        except (AssayError, OSError) as error:  # looked at again by the next call: nothing says when a fault is over
            if not self._said:
                log.warning("%s: %s", self._told, error)
            self._said = True
            return self._value
        self._seen, self._value, self._said = version, value, False
        return value


def _version(files: Iterable[str]) -> _Version:
    """What changes with any of the files; None while one cannot be looked at. On another machine there may be no file of secrets.

    It is asked for with every call of a gate: paths are text, which costs half of what a `Path` does.
    """
    found = list[tuple[int, int, int]]()
    for file in files:
        try:
            stat = os.stat(file)  # noqa: PTH116
        except FileNotFoundError:
            found.append((0, 0, 0))
        except OSError:
            return None
        else:
            found.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return tuple(found)
