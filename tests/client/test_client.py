"""The client of `/v1/decide` against a server that answers as it is told: one payment, one id, until there is an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from aiohttp import web
from msgspec import UNSET

from assay.client import DecideAnswer, DecideClient, Payment
from assay.contracts.errors import AssayError, Quarantine, Retry
from assay.contracts.reasons import Reason

PAID = Payment(amount_minor=100, currency="EUR", entities={"customer": "c-1"})
DECIDED = {
    "event_id": "pay-1", "answered": "DECISION", "outcome": "DECLINE", "reasons": [{"code": "LARGE", "words": "1.00 EUR"}],
    "policy": {"policy_id": "p", "revision": "1"}, "admission": "ADMIT", "receipt_id": "r", "deadline_ms": 300, "latency_ms": 8.5,
    "answered_at_utc": "2026-01-01T00:00:00.000000Z", "score": 90, "decision_id": "ab" * 16, "a field of a later version": 1,
}  # fmt: skip
FALLBACK = {name: value for name, value in DECIDED.items() if name not in ("score", "decision_id")} | {"answered": "FALLBACK"}
BUSY = {"error": "GATE_OVERLOADED", "detail": "too much is waiting", "where": "", "remedy": "more slowly"}
Answer = tuple[int, Any]


class Gate:
    """Gives its answers in turn, the last one again; an answer of status 0 hangs up, one of status 1 never comes."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = list(answers)
        self.calls: list[tuple[dict[str, Any], dict[str, str]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.calls.append((json.loads(await request.read()), dict(request.headers)))
        status, body = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if status == 0 and request.transport is not None:
            request.transport.close()
        if status == 1:
            await asyncio.Event().wait()
        return web.Response(status=max(status, 200), body=body if isinstance(body, bytes) else json.dumps(body).encode())


def against(gate: Gate, ask: Callable[[DecideClient], Awaitable[Any]], **options: float) -> Any:
    """What a caller gets from it."""

    async def asked() -> Any:
        application = web.Application()
        application.router.add_post("/v1/decide", gate.handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            async with DecideClient(f"http://127.0.0.1:{runner.addresses[0][1]}/", "a key", **options) as bank:
                return await ask(bank)
        finally:
            await runner.cleanup()

    return asyncio.run(asked())


@pytest.mark.parametrize(
    "before",
    [[], [(503, BUSY)], [(429, BUSY), (503, b"<html>")], [(0, b"")], [(1, b"")], [(408, BUSY), (0, b""), (504, b"")]],
    ids=["at once", "503", "429, then no JSON", "hung up", "never", "several"],
)
def test_a_call_is_sent_again_under_one_id_until_it_is_answered(before: list[Answer]) -> None:
    gate = Gate([*before, (200, DECIDED)])
    answer = against(gate, lambda bank: bank.decide(PAID), answer_within_s=0.3)
    assert isinstance(answer, DecideAnswer)
    assert (answer.outcome, answer.score, answer.reasons[0].code) == ("DECLINE", 90, "LARGE")
    assert len(gate.calls) == len(before) + 1
    assert len({body["event_id"] for body, _ in gate.calls}) == 1
    assert gate.calls[0][0].keys() == {"amount_minor", "currency", "entities", "event_id"}, "what is left out is the gate's to fill in"
    assert {headers["X-IG-Api-Key"] for _, headers in gate.calls} == {"a key"}
    assert not any("X-Deadline-Ms" in headers for _, headers in gate.calls)


def test_an_id_of_the_callers_own_and_its_deadline_are_sent_as_they_are() -> None:
    gate = Gate([(200, FALLBACK)])
    named = Payment(amount_minor=1, currency="EUR", entities={}, event_id="pay-1", ts_utc="2026-01-01T00:00:00Z", attributes={"a": "b"})
    answer = against(gate, lambda bank: bank.decide(named, deadline_ms=50))
    ((body, headers),) = gate.calls
    assert (body["event_id"], body["ts_utc"], body["attributes"], headers["X-Deadline-Ms"]) == (
        "pay-1", "2026-01-01T00:00:00Z", {"a": "b"}, "50",
    )  # fmt: skip
    assert (answer.answered, answer.score, answer.decision_id) == ("FALLBACK", UNSET, UNSET)


def test_payments_without_an_id_are_payments_of_their_own() -> None:
    gate = Gate([(200, DECIDED)])
    against(gate, lambda bank: asyncio.gather(bank.decide(PAID), bank.decide(PAID)))
    assert len({body["event_id"] for body, _ in gate.calls}) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "reason", "told"),
    [
        ((422, {**BUSY, "error": "CURRENCY_UNKNOWN", "where": "$.currency"}), Quarantine, Reason.CURRENCY_UNKNOWN, "too much is waiting"),
        ((401, {**BUSY, "error": "UNAUTHORISED"}), Quarantine, Reason.UNAUTHORISED, "too much is waiting"),
        ((409, {**BUSY, "error": "ORDERING_NOT_ARRIVAL"}), Quarantine, Reason.ORDERING_NOT_ARRIVAL, "too much is waiting"),
        ((422, {**BUSY, "error": "OF_A_LATER_VERSION"}), Quarantine, Reason.GATE_REJECTED, "too much is waiting"),
        ((500, b"oh"), Quarantine, Reason.GATE_REJECTED, "status 500 without a reason"),
        ((503, BUSY), Retry, Reason.GATE_RETRY_EXHAUSTED, "GATE_OVERLOADED: too much is waiting"),
        ((0, b""), Retry, Reason.GATE_RETRY_EXHAUSTED, "within 0.2 s"),
    ],
)
def test_what_is_not_answered_is_raised_with_its_code(answer: Answer, kind: type[AssayError], reason: Reason, told: str) -> None:
    gate = Gate([answer])
    with pytest.raises(kind) as refusal:
        against(gate, lambda bank: bank.decide(PAID), give_up_after_s=0.2)
    assert refusal.value.reason is reason
    assert told in refusal.value.what
    assert (len(gate.calls) > 1) == (kind is Retry)
