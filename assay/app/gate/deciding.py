"""A payment whose poster waits: it is admitted as any other, and answered with its decision or, at the deadline, with the fallback.

The answer is a record on the bus before it is told. Whoever asks again is told the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

from assay.app.gate.answer_index import AnswerIndex
from assay.app.gate.answer_log import AnswerLog
from assay.app.gate.answer_record import RECORD, Asked, Said, record_of, said_by, told
from assay.app.gate.answer_types import DecideAnswer
from assay.app.gate.calls import Answer, ItemAnswer
from assay.app.gate.deadline import deadline_ms_of
from assay.app.gate.decisions import Decisions
from assay.app.gate.decisions_to_come import DecisionsToCome
from assay.app.gate.reason_words import ReasonWords
from assay.app.gate.short_forms import Short
from assay.app.metrics import GATE_ANSWERS, GATE_DECIDE_SECONDS
from assay.codecs.single_object import pack, unpack
from assay.contracts.errors import AssayError, Quarantine
from assay.contracts.event_classes import TRAFFIC
from assay.contracts.ids import dedupe_key
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

_TAKEN = ("ADMIT", "DUPLICATE")
#: the pause between looks at an admission in another process
_LOOK_EVERY_S = 0.01
Admit = Callable[[], Awaitable[Answer]]


class Waiting(NamedTuple):
    """Who waits: until `deadline_ms` after `began_s`, by `time.perf_counter`. `key` gives that with which the worker is asked."""

    deadline_ms: int
    began_s: float
    key: Callable[[], str]

    @property
    def left_s(self) -> float:
        """Seconds that are left, none below 0."""
        return max(0.0, self.began_s + self.deadline_ms / 1_000 - time.perf_counter())


def waiting_of(headers: Mapping[str, str], began_s: float, key: Callable[[], str]) -> Waiting:
    """Who waits with these headers. Raises Quarantine(DEADLINE_INVALID)."""
    return Waiting(deadline_ms_of(headers), began_s, key)


class Deciding:
    """Answers for one run. `index` is that of the thread which looks for earlier answers, `clock` is wall time in microseconds.

    It connects to nothing before somebody waits, unless somebody did before in this run.
    """

    def __init__(
        self, coming: DecisionsToCome, log: AnswerLog, index: AnswerIndex, earlier: Decisions, words: ReasonWords, pins: Pins,
        clock: Callable[[], int],
    ) -> None:  # fmt: skip
        self._coming, self._log, self._index, self._earlier, self._words = coming, log, index, earlier, words
        self._run, self._pins, self._clock = pins.platform_run_id, pins.as_avro(), clock
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="gate-answered")
        self._answering: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self._beginning: asyncio.Task[None] | None = None
        self._first_look: asyncio.Task[None] | None = None

    async def begin_soon(self, _: object) -> None:
        """Begin at once where somebody waited before: a gate that starts again misses no decision of its first callers."""
        self._first_look = asyncio.create_task(self._begin_if_used())

    async def close(self) -> None:
        """Let go of connections and threads. Nobody waits any more."""
        await self._coming.close()
        if self._beginning is not None:
            await asyncio.to_thread(self._log.stop)
        self._looking.shutdown()
        self._index.close()

    async def call(self, item: Short, waiting: Waiting, admit: Admit) -> DecideAnswer | Answer:
        """The answer to a payment, or how its admission ended when it was not admitted.

        `admit` is called again where another process has just admitted the payment.
        Raises Retry(PUBLISH_AMBIGUOUS | BUS_UNAVAILABLE | INDEX_UNAVAILABLE) when the answer is not acknowledged, and as `admit` does.
        """
        event_id = item.event_id or ""
        await self._begin(waiting.left_s)
        try:
            with self._coming.expected(event_id):
                admitted = await admit()
                if _is_elsewhere(admitted) and await self._ended_elsewhere(event_id, waiting):
                    admitted = await admit()
                outcome = admitted.results[0]
                if outcome["admission"] not in _TAKEN:
                    return admitted
                record = await asyncio.shield(self._task_of(event_id, outcome, waiting))
                return told(record, outcome["admission"])
        finally:
            GATE_DECIDE_SECONDS.observe(time.perf_counter() - waiting.began_s)

    async def _ended_elsewhere(self, event_id: str, waiting: Waiting) -> bool:
        """Whether the admission that another process began has ended before the deadline."""
        key = dedupe_key(self._run, TRAFFIC, event_id)
        with suppress(AssayError):
            while waiting.left_s:
                await asyncio.sleep(min(_LOOK_EVERY_S, waiting.left_s))
                if not await asyncio.get_running_loop().run_in_executor(self._looking, self._index.is_in_flight, key):
                    return True
        return False

    async def _begin_if_used(self) -> None:
        with suppress(AssayError):
            if await asyncio.get_running_loop().run_in_executor(self._looking, self._index.has_any):
                await self._begin(0.0)

    async def _begin(self, within_s: float) -> None:
        if self._beginning is None:
            self._log.start()
            self._beginning = asyncio.create_task(self._take_rules())
        await self._coming.begin(within_s)

    async def _take_rules(self) -> None:
        with suppress(AssayError, OSError):  # then the fallback is that of the rules which the run began with
            await asyncio.to_thread(self._words.begin)

    def _task_of(self, event_id: str, outcome: ItemAnswer, waiting: Waiting) -> asyncio.Task[dict[str, Any]]:
        """The one task that answers a payment: who comes while it is under way is answered with it."""
        task = self._answering.get(event_id)
        if task is None:
            task = asyncio.create_task(self._answer(event_id, outcome, waiting))
            self._answering[event_id] = task
            task.add_done_callback(lambda _: self._answering.pop(event_id, None))
        return task

    async def _answer(self, event_id: str, outcome: ItemAnswer, waiting: Waiting) -> dict[str, Any]:
        again = outcome["admission"] == "DUPLICATE"
        if again and (standing := await self._standing(event_id)) is not None:
            return unpack(standing)[1]
        said = await self._said(event_id, waiting, again=again)
        latency_us = int((time.perf_counter() - waiting.began_s) * 1e6)
        asked = Asked(event_id, outcome["admission"], outcome["receipt_id"], waiting.deadline_ms, latency_us, self._clock())
        record = record_of(self._pins, asked, said)
        value = pack(RECORD, record)
        stands = await asyncio.wrap_future(self._log.write(event_id, value))
        GATE_ANSWERS.add({said.answered: 1})
        return record if stands is value else unpack(stands)[1]

    async def _standing(self, event_id: str) -> bytes | None:
        known = self._log.remembered(event_id)
        if known is not None:
            return known
        key = dedupe_key(self._run, TRAFFIC, event_id)
        return await asyncio.get_running_loop().run_in_executor(self._looking, self._index.answer, key)

    async def _said(self, event_id: str, waiting: Waiting, *, again: bool) -> Said:
        row = await self._decision(event_id, waiting, again=again)
        if row is None:
            return self._words.without()
        words = self._words.of(row) if self._words.knows(row) else await asyncio.to_thread(self._words.of, row)
        return said_by(row, words)

    async def _decision(self, event_id: str, waiting: Waiting, *, again: bool) -> dict[str, Any] | None:
        """The decision, if it comes in time. That on a payment which was posted before may be there already."""
        with self._coming.expected(event_id) as coming:
            if not again:
                return await self._arrived_within(coming, waiting.left_s)
            asked: set[asyncio.Task[dict[str, Any] | None]] = {asyncio.create_task(self._arrived(coming))}
            asked.add(asyncio.create_task(self._known(event_id, waiting.key())))
            try:
                while asked:
                    done, asked = await asyncio.wait(asked, timeout=waiting.left_s, return_when=asyncio.FIRST_COMPLETED)
                    found = [row for one in done if (row := one.result()) is not None]
                    if found or not done:
                        return found[0] if found else None
                return None
            finally:
                for one in asked:
                    one.cancel()

    async def _arrived_within(self, coming: asyncio.Future[bytes], within_s: float) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(within_s):
                return await self._arrived(coming)
        except TimeoutError:
            return None

    async def _arrived(self, coming: asyncio.Future[bytes]) -> dict[str, Any] | None:
        return self._words.row_of(await asyncio.shield(coming))

    async def _known(self, event_id: str, key: str) -> dict[str, Any] | None:
        try:
            return await self._earlier.row_of(event_id, key)
        except AssayError:
            return None


def _is_elsewhere(admitted: Answer) -> bool:
    return admitted.retry is not None and admitted.retry.reason is Reason.ADMISSION_IN_FLIGHT


def not_by_arrival() -> Quarantine:
    """The refusal in a run whose decisions wait for watermarks."""
    what = "this run orders payments by event time: a decision waits for the watermark of its time, and not for a deadline"
    remedy = "Nothing was taken; post to /v1/payments, or begin a live run: assay up."
    return Quarantine(Reason.ORDERING_NOT_ARRIVAL, what, where="ordering", remedy=remedy)
