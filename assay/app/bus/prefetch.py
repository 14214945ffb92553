"""A generator that is run in a thread of its own, a few items before its reader needs them.

Kernels and Kafka's client run without the interpreter's lock, so the stages of a replay keep two cores busy.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")
DEPTH = 4
_STOPPED_POLL_S = 0.1


def prefetched(items: Iterable[T]) -> Generator[T]:
    """The same items in their order. An error in making them is raised here. A reader that leaves ends the thread."""
    running = _Prefetch(items)
    try:
        yield from running
    finally:
        running.stop()


class _Prefetch(Generic[T]):
    def __init__(self, items: Iterable[T]) -> None:
        self._items = items
        self._queue: queue.Queue[Any] = queue.Queue(DEPTH)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        while True:
            item, error = self._queue.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item

    def stop(self) -> None:
        """Returns when the thread has ended."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item, None):
                    return
            self._put(_END, None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the items are read
            self._put(None, error)

    def _put(self, item: Any, error: BaseException | None) -> bool:
        """False when nobody reads any more."""
        while not self._stopped.is_set():
            try:
                self._queue.put((item, error), timeout=_STOPPED_POLL_S)
            except queue.Full:
                continue
            return True
        return False


_END = object()
