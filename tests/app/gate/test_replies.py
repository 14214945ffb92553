"""Waiters of one loop are told what threads answer: each its own answer, all that are there by one wake-up, and none after it has gone."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from assay.app.gate.replies import Replies
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

pytestmark = pytest.mark.tier0


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often a thread woke it."""

    woken = 0

    def _write_to_self(self) -> None:
        self.woken += 1
        super()._write_to_self()  # type: ignore[misc]  # asyncio's own, beside its types


def _end(answers: list[Future[int]]) -> None:
    for number, answer in enumerate(answers):
        answer.set_result(number)


async def _waiting(replies: Replies, answers: list[Future[int]]) -> list[asyncio.Task[int]]:
    """A task for each answer that waits for it by now."""
    tasks = [asyncio.create_task(replies.of(answer)) for answer in answers]
    await asyncio.sleep(0)
    return tasks


def test_each_waiter_gets_its_own_answer_from_whichever_thread_it_comes() -> None:
    answers = [Future[int]() for _ in range(400)]

    async def scenario() -> list[int]:
        tasks = await _waiting(Replies(), answers)
        for part in range(4):
            threading.Thread(target=_end, args=(answers[100 * part : 100 * part + 100],)).start()
        return await asyncio.gather(*tasks)

    assert asyncio.run(scenario()) == list(range(100)) * 4


def test_answers_that_are_there_come_by_one_wake_up() -> None:
    loop, answers = CountingLoop(), [Future[int]() for _ in range(100)]

    async def scenario() -> None:
        tasks = await _waiting(Replies(), answers)
        thread = threading.Thread(target=_end, args=(answers,))
        thread.start()
        thread.join()  # the loop stands still meanwhile
        assert loop.woken == 1
        assert await asyncio.gather(*tasks) == list(range(100))

    loop.run_until_complete(scenario())
    loop.close()


def test_an_answer_after_a_wake_up_wakes_the_loop_again() -> None:
    loop, first, second = CountingLoop(), Future[int](), Future[int]()

    async def scenario() -> None:
        tasks = await _waiting(Replies(), [first, second])
        first.set_result(1)
        assert await tasks[0] == 1
        second.set_result(2)
        assert await tasks[1] == 2
        assert loop.woken == 2

    loop.run_until_complete(scenario())
    loop.close()


def test_what_an_answer_failed_with_is_raised_where_it_is_waited_for() -> None:
    async def scenario() -> None:
        answer = Future[int]()
        (task,) = await _waiting(Replies(), [answer])
        answer.set_exception(Retry(Reason.BUS_UNAVAILABLE, "away"))
        with pytest.raises(Retry, match="away"):
            await task

    asyncio.run(scenario())


def test_an_answer_that_is_there_already_is_told_at_once() -> None:
    answer = Future[int]()
    answer.set_result(7)
    assert asyncio.run(Replies().of(answer)) == 7


def test_a_waiter_is_told_to_come_again_in_time_and_the_work_is_not_cancelled() -> None:
    answer = Future[int]()
    with pytest.raises(Retry) as refusal:
        asyncio.run(Replies().of(answer, within_s=0.01))
    assert refusal.value.reason is Reason.GATE_OVERLOADED
    assert not answer.cancelled()


def test_an_answer_for_a_waiter_that_has_gone_does_not_hold_up_the_others() -> None:
    async def scenario() -> int:
        gone, stays = Future[int](), Future[int]()
        leaving, staying = await _waiting(Replies(), [gone, stays])
        leaving.cancel()
        await asyncio.sleep(0)
        gone.set_exception(Retry(Reason.BUS_UNAVAILABLE, "away"))
        stays.set_result(3)
        return await staying

    assert asyncio.run(scenario()) == 3
