"""Jobs that run some steps ahead of whoever takes their results, which come in the order of the jobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Result = TypeVar("Result")


def ahead(pool: Executor, jobs: Iterable[Callable[[], Result]], window: int) -> Iterator[Result]:
    """Results in the order of the jobs, of which at most `window` are begun and not taken. Jobs are asked for only when there is room."""
    begun: deque[Future[Result]] = deque()
    for job in jobs:
        begun.append(pool.submit(job))
        if len(begun) >= window:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()
