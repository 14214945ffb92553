"""Seconds per step of a sort. Steps run at once in several threads, so together they may take longer than the sort."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class Steps:
    """Wall seconds by the name of a step, added up over threads."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._lock = Lock()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """The block is this step."""
        began_s = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - began_s

    def seconds(self) -> dict[str, float]:
        """What was measured so far."""
        with self._lock:
            return {name: round(value, 3) for name, value in self._seconds.items()}
