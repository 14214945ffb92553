"""Heavy work of the HTTP side in a thread of its own: one array of 5,000 items takes as long as hundreds of other callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

#: reading so many bytes, or writing so many results, takes about as long as three other calls
BYTES_HERE_MAX: Final = 32 << 10
RESULTS_HERE_MAX: Final = 100
T = TypeVar("T")


class Aside:
    """One thread, so that one large body is read at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gate-bodies")

    async def do(self, work: Callable[[], T], *, heavy: bool) -> T:
        """The work's value, or what it raises. Light work is done at once."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work) if heavy else work()

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False)
