"""Writers of one file take turns by the kernel's lock on it, which ends with its holder however that ends."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import BinaryIO

from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

#: a writer that sleeps with the lock holds others up no longer than this: then they fail instead of waiting without end
TURN_WAIT_S = 10.0


def take_turn(file: BinaryIO) -> None:
    """Lock an open file until it is closed. Raises Retry(DIRECTORY_BUSY) when another has held it for `TURN_WAIT_S`."""
    deadline = time.monotonic() + TURN_WAIT_S
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                what = f"another process has kept the lock of {Path(file.name).name} for {TURN_WAIT_S:g} s"
                remedy = "It sleeps with it, or its disk does not answer; end it or let it go on."
                raise Retry(Reason.DIRECTORY_BUSY, what, where=str(Path(file.name).parent), remedy=remedy) from None
            time.sleep(0.01)
