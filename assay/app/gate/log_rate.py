"""A bound on what strangers can make the gate write into its log."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from typing import Any

LINES_MAX = 20
WINDOW_S = 60.0
NO_FILE_LEFT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
log = logging.getLogger("assay.gate")


class LogRate(logging.Filter):
    """At most `lines_max` lines of a logger per `window_s`; the first line of a later window says how many were left out.

    `clock` gives seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float], lines_max: int = LINES_MAX, window_s: float = WINDOW_S) -> None:
        super().__init__()
        self._clock, self._lines_max, self._window_s = clock, lines_max, window_s
        self._began_s = float("-inf")
        self._lines = self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Called by logging."""
        now_s = self._clock()
        if now_s - self._began_s >= self._window_s:
            if self._left_out:
                record.msg, record.args = f"{record.getMessage()} ({self._left_out} lines before this one were left out)", ()
            self._began_s, self._lines, self._left_out = now_s, 0, 0
        self._lines += 1
        if self._lines > self._lines_max:
            self._left_out += 1
            return False
        return True


def out_of_files(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The loop's handler of errors that nobody waits for: an accept that found no file descriptor is one line, no traceback."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in NO_FILE_LEFT:
        log.warning("a connection could not be accepted: %s. Raise the limit of open files (ulimit -n) of the gate", error.strerror)
    else:
        loop.default_exception_handler(context)
