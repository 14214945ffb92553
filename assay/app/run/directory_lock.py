"""One command at a time in a directory of ours. The lock is the kernel's, so it ends with its owner, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

LOCK = ".lock"


@contextmanager
def held(directory: Path, command: str) -> Iterator[None]:
    """Hold a directory for this command; raises Stop(DIRECTORY_BUSY) naming the process that holds it already."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read() or "another process"
            remedy = "Wait for its end, or end it: Ctrl-C where it was started, or SIGINT. Another directory runs beside it."
            raise Stop(Reason.DIRECTORY_BUSY, f"{owner} runs in this directory", where=str(directory), remedy=remedy) from None
        file.truncate(0)
        file.write(f"`{command}`, process {os.getpid()}")
        file.flush()
        yield
