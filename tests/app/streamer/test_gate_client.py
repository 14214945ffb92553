"""The client repeats what may succeed later, gives up what cannot, and stops waiting when asked to. Against a real HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from small_runs import pins

from assay.app.streamer.gate_client import GateClient, Interrupted
from assay.app.streamer.retry import RetryPolicy
from assay.contracts.errors import Retry, Stop

QUICK = RetryPolicy(attempts_min=5, budget_s=0.0, base_ms=1.0, max_ms=2.0)


class ScriptedGate:
    """Answers with the given statuses one after another, the last for ever; keeps what it was asked."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.asked: list[tuple[str, str, dict[str, Any] | list[Any]]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path_qs, request.headers.get("X-IG-Api-Key", ""), await request.json()))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.json_response({"counts": {"ADMIT": 1}, "error": "WHY"}, status=status)


async def _with_server(gate: ScriptedGate, work: Callable[[str], Awaitable[Any]]) -> Any:
    application = web.Application()
    application.router.add_post("/{path:.*}", gate.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        return await work(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


def _ingest(gate: ScriptedGate, policy: RetryPolicy = QUICK, retried: Callable[[str], object] = bool) -> Any:
    async def work(url: str) -> Any:
        client = GateClient(url, "key", pins(), policy, lambda: 0.0, asyncio.Event(), retried)
        try:
            return await client.ingest(b"[]")
        finally:
            await client.close()

    return asyncio.run(_with_server(gate, work))


@pytest.mark.parametrize("statuses", [(429, 429, 200), (503, 200), (500, 408, 502, 504, 200), (200,)])
def test_transient_answers_are_repeated_until_the_gate_takes_the_call(statuses: tuple[int, ...]) -> None:
    gate, causes = ScriptedGate(*statuses), list[str]()
    assert _ingest(gate, retried=causes.append)["counts"] == {"ADMIT": 1}
    assert len(gate.asked) == len(statuses)
    assert [cause.partition(":")[0] for cause in causes] == [f"HTTP {status}" for status in statuses[:-1]]
    assert gate.asked[0][:2] == ("/v1/ingest/batch?results=exceptions", "key")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413])
def test_a_refusal_is_not_repeated(status: int) -> None:
    gate = ScriptedGate(status)
    with pytest.raises(Stop, match=f"GATE_REJECTED.*HTTP {status}.*WHY"):
        _ingest(gate)
    assert len(gate.asked) == 1


def test_tries_end_with_the_budget() -> None:
    gate = ScriptedGate(503)
    with pytest.raises(Retry, match=r"GATE_RETRY_EXHAUSTED.*in 5 tries.*HTTP 503"):
        _ingest(gate)
    assert len(gate.asked) == 5


def test_a_gate_that_is_not_there_is_waited_for_until_the_budget_ends() -> None:
    async def work() -> None:
        client = GateClient("http://127.0.0.1:1", "key", pins(), QUICK, lambda: 0.0, asyncio.Event())
        try:
            await client.ingest(b"[]")
        finally:
            await client.close()

    with pytest.raises(Retry, match=r"GATE_RETRY_EXHAUSTED.*Connect"):
        asyncio.run(work())


def test_a_request_to_stop_ends_the_waiting() -> None:
    async def work(url: str) -> None:
        stop = asyncio.Event()
        stop.set()
        client = GateClient(url, "key", pins(), RetryPolicy(base_ms=60_000, max_ms=60_000), lambda: 0.0, stop)
        try:
            await client.ingest(b"[]")
        finally:
            await client.close()

    gate = ScriptedGate(503)
    with pytest.raises(Interrupted):
        asyncio.run(_with_server(gate, work))
    assert len(gate.asked) == 1


def test_a_mark_carries_pins_time_classes_and_finality() -> None:
    async def work(url: str) -> None:
        client = GateClient(url, "key", pins(), QUICK, lambda: 0.0, asyncio.Event())
        await client.mark(1_522_540_831_000_000, ("traffic", "context"), final=True)
        await client.close()

    gate = ScriptedGate(200)
    asyncio.run(_with_server(gate, work))
    said = {"ts_utc": "2018-04-01T00:00:31.000000Z", "final": True, "classes": ["traffic", "context"]}
    assert gate.asked == [("/v1/ingest/marks", "key", {**pins().as_json(), **said})]
