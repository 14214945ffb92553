"""Writers of one file take turns by the kernel's lock on it, which ends with its holder however that ends."""

from __future__ import annotations

import fcntl
import time
from typing import BinaryIO

#: a writer that sleeps with the lock holds others up no longer than this: then they fail instead of waiting without end
TURN_WAIT_S = 10.0


def take_turn(file: BinaryIO) -> None:
    """Lock an open file until it is closed. Raises BlockingIOError when another has held it for `TURN_WAIT_S`."""
    deadline = time.monotonic() + TURN_WAIT_S
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
