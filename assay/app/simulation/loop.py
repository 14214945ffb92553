"""An event loop in virtual time: asyncio code runs as it is, in an order that is the same in every run.

One loop belongs to one simulated process. It never waits: timers and jobs of the executor go to the world's queue of
events, which calls back when their virtual time has come, unless the process is frozen or dead by then.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Handle, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import Context
from typing import Any, Protocol, TypeVar, cast
from weakref import WeakSet

T = TypeVar("T")


class Outside(Protocol):
    """What a loop asks the world for."""

    def now_us(self) -> int:
        """Virtual time since the run began."""

    def wake(self, after_us: int, action: Callable[[], None]) -> None:
        """Call back later, inside the process."""

    def submit(self, job: Callable[[], object], done: Callable[[object, Exception | None], None], *, of_lane: bool) -> None:
        """Run a job of an executor after some time and say what came of it. `of_lane` jobs are folds, others are I/O."""


class SimulatedLoop:
    """As much of an event loop as a lane's code needs: asyncio asks no loop for what it does not use."""

    def __init__(self, outside: Outside) -> None:
        self._as_loop = cast("AbstractEventLoop", self)
        self._outside = outside
        self.ready: deque[Handle] = deque()
        self.broken: BaseException | None = None
        self._tasks: WeakSet[asyncio.Task[Any]] = WeakSet()

    def run_ready(self, may_go_on: Callable[[], bool]) -> None:
        """Call what is ready until nothing is, or the process may not go on. Raises what a callback broke with."""
        outer = asyncio._get_running_loop()  # noqa: SLF001  # asyncio offers these two to writers of event loops
        asyncio._set_running_loop(self._as_loop)  # noqa: SLF001
        try:
            while self.ready and may_go_on():
                handle = self.ready.popleft()
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001  # what every loop does
        finally:
            asyncio._set_running_loop(outer)  # noqa: SLF001
        if self.broken is not None:
            raise self.broken

    def end(self) -> None:
        """The process is gone: what it was at is let go of, wherever it stood."""
        self.ready.clear()
        for task in list(self._tasks):
            if not task.done():
                with suppress(RuntimeError):  # it is still running, or does not want to end
                    task.get_coro().close()
        self._tasks.clear()
        self.ready.clear()

    def time(self) -> float:
        return self._outside.now_us() / 1e6

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Handle:
        handle = Handle(callback, args, self._as_loop, context)
        self.ready.append(handle)
        return handle

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None) -> TimerHandle:
        handle = TimerHandle(when, callback, args, self._as_loop, context)
        self._outside.wake(max(0, round(when * 1e6) - self._outside.now_us()), lambda: self.ready.append(handle))
        return handle

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None) -> TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._as_loop)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        task = asyncio.Task(cast("Coroutine[Any, Any, Any]", coro), loop=self._as_loop, name=name, context=context)
        self._tasks.add(task)
        return task

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()

        def done(value: object, error: Exception | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(cast("T", value))
            else:
                future.set_exception(error)

        self._outside.submit(lambda: func(*args), done, of_lane=executor is not None)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A callback that raised is a defect; a task that ended with its process is none."""
        if str(context.get("message", "")).startswith("Exception in callback"):
            self.broken = context["exception"]

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """A cancelled timer stays in the world's queue and is passed over when its time comes."""
