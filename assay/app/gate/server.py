"""The gate's HTTP surface: who may post, how much, and how each answer reads."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from assay.app.gate.answers import again, as_ours, check_http, failed, json_answer, refused, told
from assay.app.gate.border import items_of, one_item
from assay.app.gate.calls import Answer, IngestCall, ItemAnswer
from assay.app.gate.connections import Connections, CountedRunner
from assay.app.gate.health import GateState, Health
from assay.app.gate.pipeline import Pipeline
from assay.app.gate.policy import TRAFFIC
from assay.app.gate.requests import mark_of, payment_envelope
from assay.app.metrics import CONTENT_TYPE, GATE_CALL_SECONDS, GATE_RED, GATE_REFUSED_CALLS, exposition
from assay.contracts.api_key import KEY_HEADER, key_of
from assay.contracts.errors import AssayError, Quarantine, Retry
from assay.contracts.limits import BODY_BYTES_MAX, BODY_TIMEOUT_S, GATE_CONNECTIONS_MAX
from assay.contracts.reasons import Reason

ITEMS_MAX = 5_000
ANSWER_WITHIN_S = 30
#: the field of an admitted payment's answer that says where its decision can be asked for
DECISION_URL = "decision_url"
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")
log = logging.getLogger("assay.gate")


class _NoHttp(logging.Filter):
    """Bytes that are no call, which aiohttp answers with 400 by itself: counted here, and not logged.

    Its log would hold a traceback and the sender's bytes for each, keys and payments among them, at the will of anybody who can connect.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            GATE_REFUSED_CALLS.add({Reason.BODY_INVALID.value: 1})
        return not isinstance(error, HttpProcessingError | web.RequestPayloadError | ConnectionError)


_http_log = logging.getLogger("assay.gate.http")
_http_log.addFilter(_NoHttp())


class GateServer:
    """Routes of one gate. `pins` are the run's six and its `run_id`; decisions are below `decisions_url`, empty for nowhere.

    `accepts_key` says whether a key is valid now.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        health: Health,
        pins: Mapping[str, str | int],
        accepts_key: Callable[[bytes], bool],
        clock: Callable[[], int],
        body_timeout_s: float = BODY_TIMEOUT_S,
        decisions_url: str = "",
        connections_max: int = GATE_CONNECTIONS_MAX,
    ) -> None:
        self._pipeline = pipeline
        self._health = health
        self._pins = pins
        self._accepts_key = accepts_key
        self._clock = clock
        self._body_timeout_s = body_timeout_s
        self._decisions_url = decisions_url
        self._connections = Connections(connections_max)

    def application(self) -> web.Application:
        """The aiohttp application."""
        made = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._answer_refusals])
        made.add_routes(
            [
                web.post("/v1/ingest/batch", self.batch),
                web.post("/v1/ingest/push", self.push),
                web.post("/v1/ingest/marks", self.marks),
                web.post("/v1/payments", self.payments),
                web.get("/healthz", self.healthz),
                web.get("/metrics", self.metrics),
            ]
        )
        return made

    def runner(self, lingering_time: float = 10.0) -> web.AppRunner:
        """The application on a server. Headers have as long as a body: aiohttp hangs up on who has not ended them then, or sends none."""
        handler = {"access_log": None, "logger": _http_log, "keepalive_timeout": self._body_timeout_s, "lingering_time": lingering_time}
        return CountedRunner(self.application(), self._connections, **handler)

    async def batch(self, request: web.Request) -> web.Response:
        """Many envelopes. `?results=exceptions` names only the items that were not admitted."""
        items = items_of(await self._body(request), ITEMS_MAX)
        answer = await self._admit(items, request.query.get("results") == "exceptions")
        body: dict[str, Any] = {"counts": answer.counts, "results": [self._with_place(outcome) for outcome in answer.results]}
        if answer.retry is None:
            return json_answer(200, body)
        return json_answer(503, {**told(answer.retry, request), **body}, again(retryable=True))

    async def push(self, request: web.Request) -> web.Response:
        """One envelope."""
        return self._single(await self._admit([one_item(await self._body(request))], False))

    async def payments(self, request: web.Request) -> web.Response:
        """One payment in the short form."""
        envelope = payment_envelope(await self._body(request), self._pins, self._clock())
        return self._single(await self._admit([envelope], False))

    async def marks(self, request: web.Request) -> web.Response:
        """A watermark; see `requests.MarkBody`."""
        call = mark_of(await self._body(request), self._pins)
        self._pipeline.submit(call)
        return json_answer(200, await _answered(call.answer))

    async def healthz(self, request: web.Request) -> web.Response:
        """State and reasons; 503 while RED."""
        state = self._health.state
        return json_answer(503 if state is GateState.RED else 200, {"state": state, "reasons": self._health.reasons()})

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus."""
        GATE_RED.set(self._health.state is GateState.RED)
        return web.Response(body=exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def _admit(self, items: list[bytes], exceptions_only: bool) -> Answer:
        with GATE_CALL_SECONDS.time():
            call = IngestCall(items, exceptions_only)
            self._pipeline.submit(call)
            return await _answered(call.answer)

    async def _body(self, request: web.Request) -> bytes:
        """The body of somebody who may post, while the gate can take it."""
        if not self._accepts_key(key_of(request.headers)):
            raise Quarantine(
                Reason.UNAUTHORISED,
                f"header {KEY_HEADER} is missing or wrong",
                where=KEY_HEADER,
                remedy="`assay key show --run DIR` prints the key of a run.",
            )
        self._connections.known(request.protocol)
        if self._health.state is GateState.RED:
            raise self._health.first_fault()
        try:
            async with asyncio.timeout(self._body_timeout_s):
                return await request.read()
        except TimeoutError:
            what = f"the body did not arrive within {self._body_timeout_s:g} s"
            raise Retry(Reason.BODY_TOO_SLOW, what, remedy="Nothing was taken; send the same call again, or a smaller one.") from None
        except web.HTTPRequestEntityTooLarge:
            raise Quarantine(Reason.BODY_OVER_LIMIT, f"the body is over {BODY_BYTES_MAX} bytes", remedy="Send smaller batches.") from None
        except web.RequestPayloadError as error:
            what = f"the body does not arrive as its headers say: {error}"
            raise Quarantine(Reason.BODY_INVALID, what, remedy="Nothing was taken; correct the call.") from None
        except ConnectionError:
            raise Quarantine(Reason.BODY_INVALID, "the caller hung up before the end of the body", remedy="Send the call again.") from None

    def _single(self, answer: Answer) -> web.Response:
        """An item by itself has a status of its own, and the place of its decision in a header too."""
        outcome = self._with_place(answer.results[0])
        if answer.retry is not None:
            return json_answer(503, outcome, again(retryable=True))
        headers = {"Location": outcome[DECISION_URL]} if DECISION_URL in outcome else {}
        created = 202 if outcome.get("event_class") == TRAFFIC else 201  # a decision is still to come, and of nothing else
        return json_answer({"ADMIT": created, "DUPLICATE": 200}.get(outcome["admission"], 422), outcome, headers)

    def _with_place(self, outcome: ItemAnswer) -> ItemAnswer:
        """An admitted payment is told where its decision can be asked for."""
        if not self._decisions_url or outcome.get("event_class") != TRAFFIC:
            return outcome
        return {**outcome, DECISION_URL: f"{self._decisions_url}/{quote(outcome['event_id'], safe='')}"}

    @web.middleware
    async def _answer_refusals(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        headers: dict[str, str] = {}
        try:
            check_http(request)
            return await handler(request)
        except AssayError as error:
            refusal = error
        except web.HTTPException as error:
            refusal, headers = as_ours(error, request)
        except Exception:
            log.exception("a call to %s failed in a way that was not foreseen", request.path)
            return failed(request)
        finally:
            self._connections.rests(request.protocol)
        GATE_REFUSED_CALLS.add({refusal.reason.value: 1})
        return refused(refusal, request, headers)


async def _answered(answer: Future[T]) -> T:
    """The answer, or Retry(GATE_OVERLOADED) when it takes longer than a client waits; what was taken is admitted all the same."""
    waiting = asyncio.wrap_future(answer)
    if not (await asyncio.wait([waiting], timeout=ANSWER_WITHIN_S))[0]:
        what = f"no answer within {ANSWER_WITHIN_S} s"
        raise Retry(Reason.GATE_OVERLOADED, what, remedy="Send the same call again: what was admitted comes back as a duplicate.")
    return await waiting


def wall_clock_us() -> int:
    """The clock of a real gate, microseconds."""
    return time.time_ns() // 1_000
