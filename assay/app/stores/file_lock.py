"""Locks on files, taken with `filelock`. The kernel holds a lock (flock), so it ends with its process, however the process ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import AcquireReturnProxy, Timeout, UnixFileLock

from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

#: file in a run's directory that is locked; it holds the command and the process id of its holder
LOCK = ".lock"
#: seconds that a writer waits for another writer of the same object; a sleeping process cannot block the others for longer
WRITER_WAIT_S = 10.0
POLL_S = 0.01


@contextmanager
def held(directory: Path, command: str) -> Iterator[None]:
    """Lock a directory, which is made if it is missing, for one command. Raises Stop(DIRECTORY_BUSY) with the holder's command and pid."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / LOCK
    try:
        lock = _lock(path, 0.0, lambda file: _write(file, f"`{command}`, process {os.getpid()}"))
    except Timeout:
        remedy = "Wait for its end, or end it: Ctrl-C where it was started, or SIGINT. Another directory runs beside it."
        raise Stop(Reason.DIRECTORY_BUSY, f"{_holder(path)} runs in this directory", where=str(directory), remedy=remedy) from None
    with lock:
        yield


def holder_of(directory: Path) -> str:
    """The command and process id of whoever holds a directory; empty for nobody. Nothing is made."""
    path = directory / LOCK
    if not path.is_file():
        return ""
    try:
        _lock(path, 0.0).lock.release()
    except Timeout:
        return _holder(path)
    return ""


@contextmanager
def writer_lock(path: Path) -> Iterator[None]:
    """Lock a file against other writers, threads of this process included. Raises Retry(DIRECTORY_BUSY) after `WRITER_WAIT_S`."""
    try:
        lock = _lock(path, WRITER_WAIT_S)
    except Timeout:
        what = f"another process has kept the lock of {path.name} for {WRITER_WAIT_S:g} s"
        remedy = "The process sleeps with the lock, or its disk does not answer. End the process, or let it go on."
        raise Retry(Reason.DIRECTORY_BUSY, what, where=str(path.parent), remedy=remedy) from None
    with lock:
        yield


def _lock(path: Path, wait_s: float, note: Callable[[int], None] | None = None) -> AcquireReturnProxy[UnixFileLock]:
    """Lock a file; a `with` block over the result releases it. `note` gets the file's descriptor. The file stays after the release.

    A file system without flock is refused (OSError): filelock's substitute is a lock that survives a holder that is killed.
    """
    return UnixFileLock(path, timeout=wait_s, poll_interval=POLL_S, fallback_to_soft=False, on_acquired=note).acquire()


def _write(file: int, text: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, text.encode(), 0)


def _holder(path: Path) -> str:
    """The command and the process id in a lock file; a holder that has not written them yet is another process."""
    try:
        return path.read_text(encoding="utf-8") or "another process"
    except FileNotFoundError:
        return "another process"
