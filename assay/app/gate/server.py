"""The gate's HTTP surface: who may post, how much, and how each answer reads."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiohttp import web

from assay.agents.faust_shell.web_guard import LOOPBACK, asked_of, check
from assay.agents.faust_shell.web_refusals import Handler, Refusing, refusing
from assay.app.gate.answers import PATHS, answer_expectation, check_http, json_answer, refused
from assay.app.gate.aside import BYTES_HERE_MAX, RESULTS_HERE_MAX, Aside
from assay.app.gate.border import one_item
from assay.app.gate.callers import CALLER, Callers, caller_in, given_of
from assay.app.gate.calls import Answer, IngestCall
from assay.app.gate.coding import unpacked
from assay.app.gate.connections import Connections, CountedRunner
from assay.app.gate.deciding import Deciding, not_by_arrival, waiting_of
from assay.app.gate.decisions import Decisions
from assay.app.gate.health import GateState, Health
from assay.app.gate.http_log import HTTP_LOG
from assay.app.gate.item_answers import many, single
from assay.app.gate.lookup import Lookup
from assay.app.gate.media_types import batch_reader, check_json
from assay.app.gate.openapi import page
from assay.app.gate.ops import HEALTH_HEADER, Ops, refuse_retired
from assay.app.gate.pipeline import Pipeline
from assay.app.gate.rates import Rates
from assay.app.gate.replies import Replies
from assay.app.gate.requests import mark_of
from assay.app.gate.short_forms import Reader, label_of, payment_of, short_items
from assay.app.gate.siblings import own_metrics
from assay.app.metrics import CONTENT_TYPE, GATE_CALL_SECONDS, GATE_RED, GATE_REFUSED_CALLS
from assay.contracts.errors import AssayError, Quarantine, Retry
from assay.contracts.limits import BODY_BYTES_MAX, BODY_TIMEOUT_S, GATE_CONNECTIONS_MAX, HEADER_BYTES_MAX, HEADERS_MAX, ITEMS_MAX
from assay.contracts.reasons import Reason

#: the page is a document of this gate alone: nothing is loaded from, sent to or framed by anybody else
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
#: a part of a path, and the same for aiohttp, which would leave out braces
_ID, _ANY_ID = "{event_id}", "{event_id:[^/]+}"
T = TypeVar("T")
log = logging.getLogger("assay.gate")
#: by itself, so that strangers cannot crowd out what else the gate has to say
_callers_log = logging.getLogger("assay.gate.callers")


class GateServer:
    """Routes of one gate. `pins` are the run's six and its `run_id`, `classes` those of its events.

    `decisions` knows what became of payments, `deciding` answers who waits for a decision, `callers` knows who may call now, `bind` is the
    address that it listens on, `metrics` tells those of the gate.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        health: Health,
        pins: Mapping[str, str | int],
        classes: Sequence[str],
        callers: Callers,
        clock: Callable[[], int],
        body_timeout_s: float = BODY_TIMEOUT_S,
        decisions: Decisions | None = None,
        specification: Mapping[str, Any] | None = None,
        connections_max: int = GATE_CONNECTIONS_MAX,
        bind: str = LOOPBACK,
        rates: Rates | None = None,
        lookup: Lookup | None = None,
        deciding: Deciding | None = None,
        metrics: Callable[[], Awaitable[bytes]] = own_metrics,
    ) -> None:
        self._pipeline = pipeline
        self._health = health
        self._pins, self._classes, self._bind = pins, classes, bind
        self._callers, self._rates = callers, rates or Rates()
        self._clock = clock
        self._body_timeout_s = body_timeout_s
        self._decisions, self._deciding, self._metrics = decisions, deciding, metrics
        self._specification = specification or {}
        self._connections = Connections(connections_max)
        self._aside, self._replies = Aside(), Replies()
        self._ops = Ops(health, lookup, self._check_key)

    def application(self) -> web.Application:
        """The aiohttp application."""
        refusals = refusing(Refusing("gate", f"Calls go to {', '.join(PATHS)}.", log, _refused, before=_check, after=self._rests))
        made = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[refusals])
        for (method, path), handler in self._handlers().items():
            route = web.get if method == "GET" else web.post
            made.add_routes([route(path.replace(_ID, _ANY_ID), handler, expect_handler=answer_expectation)])
        if self._deciding is not None:
            made.on_startup.append(self._deciding.begin_soon)
        made.on_cleanup.append(self._close)
        made.on_response_prepare.append(self._warn)
        return made

    def _handlers(self) -> dict[tuple[str, str], Handler]:
        """(method, path) → what answers it. `openapi.OPERATIONS` describes each."""
        return {
            ("POST", "/v1/payments"): self.payments,
            ("POST", "/v1/decide"): self.decide,
            ("POST", "/v1/labels"): self.labels,
            ("GET", "/v1/decisions"): self.decision,
            ("GET", "/v1/decisions/{event_id}"): self.decision,
            ("POST", "/v1/ingest/push"): self.push,
            ("POST", "/v1/ingest/batch"): self.batch,
            ("POST", "/v1/ingest/marks"): self.marks,
            **self._ops.handlers(),
            ("GET", "/metrics"): self.metrics,
            ("GET", "/openapi.json"): self.specification,
            ("GET", "/docs"): self.docs,
        }

    async def _close(self, _: web.Application) -> None:
        self._aside.close()
        self._ops.close()
        if self._deciding is not None:
            await self._deciding.close()
        if self._decisions is not None:
            await self._decisions.close()

    def runner(self, lingering_time: float = 10.0) -> web.AppRunner:
        """The application on a server. Headers have as long as a body: aiohttp hangs up on who has not ended them then, or sends none.

        aiohttp answers more than twice our headers by itself, as bytes that are no call.
        """
        handler = {"access_log": None, "logger": HTTP_LOG, "keepalive_timeout": self._body_timeout_s, "lingering_time": lingering_time}
        handler |= {"auto_decompress": False, "max_field_size": 2 * HEADER_BYTES_MAX, "max_headers": 2 * HEADERS_MAX}
        return CountedRunner(self.application(), self._connections, **handler)

    async def batch(self, request: web.Request) -> web.Response:
        """Many envelopes. `?results=exceptions` names only the items that were not admitted."""
        began_s = time.perf_counter()
        items = await self._read(request, lambda body: batch_reader(_said(request))(body, ITEMS_MAX), any_media=True)
        call = IngestCall(items, _exceptions_only(request), caller=caller_in(request))
        return await self._many(await self._admit(call, began_s), request)

    async def decision(self, request: web.Request) -> web.Response:
        """The decision on one payment, whose id stands in the path or in the query."""
        self._check_key(request)
        event_id = request.match_info.get("event_id") or request.query.get("event_id", "")
        if not event_id or self._decisions is None:
            what = "no payment is named" if not event_id else "this gate knows no decisions"
            raise Quarantine(Reason.DECISION_NOT_FOUND, what, where="event_id", remedy="Ask for /v1/decisions/EVENT_ID.")
        return json_answer(200, await self._decisions.of(event_id, self._callers.key_of_run))

    async def push(self, request: web.Request) -> web.Response:
        """One envelope."""
        began_s = time.perf_counter()
        items = [await self._read(request, one_item)]
        call = IngestCall(items, exceptions_only=False, caller=caller_in(request))
        return single(await self._admit(call, began_s), request)

    async def payments(self, request: web.Request) -> web.Response:
        """One payment in the short form, or an array of them."""
        return await self._short(request, payment_of)

    async def decide(self, request: web.Request) -> web.Response:
        """One payment in the short form, answered with its decision."""
        began_s = time.perf_counter()
        item = await self._read(request, lambda body: payment_of(body, self._pins, self._clock(), 0))
        if self._deciding is None:
            raise not_by_arrival()
        waiting = waiting_of(request.headers, began_s, lambda: self._callers.key_of_run)
        answer = await self._deciding.call(
            item, waiting, lambda: self._admit(IngestCall([item], exceptions_only=False, short=True, caller=caller_in(request)), began_s)
        )
        return single(answer, request) if isinstance(answer, Answer) else json_answer(200, answer)

    async def labels(self, request: web.Request) -> web.Response:
        """One label in the short form, or an array of them."""
        return await self._short(request, label_of)

    async def marks(self, request: web.Request) -> web.Response:
        """A watermark; see `requests.MarkBody`."""
        call = await self._read(request, lambda body: mark_of(body, self._pins, self._classes))
        self._pipeline.submit(call)
        return json_answer(200, await self._replies.of(call.answer))

    async def specification(self, _: web.Request) -> web.Response:
        """OpenAPI 3.1; it holds no secret, so it needs no key."""
        return json_answer(200, self._specification)

    async def docs(self, request: web.Request) -> web.Response:
        """A page from which every call can be tried."""
        return web.Response(body=page(), content_type="text/html", charset="utf-8", headers=PAGE_HEADERS)

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus. Beyond this machine it says who it is."""
        given = given_of(request)
        if given.anything:
            self._callers.caller(given)
        else:
            check(asked_of(request), self._bind, lambda _: False)
        GATE_RED.set(self._health.is_red)
        return web.Response(body=await self._metrics(), headers={"Content-Type": CONTENT_TYPE})

    async def _short(self, request: web.Request, read: Reader) -> web.Response:
        began_s = time.perf_counter()
        items, is_array = await self._read(request, lambda body: short_items(body, read, self._pins, self._clock(), ITEMS_MAX))
        call = IngestCall(items, is_array and _exceptions_only(request), short=True, caller=caller_in(request))
        answer = await self._admit(call, began_s)
        return await self._many(answer, request) if is_array else single(answer, request)

    async def _many(self, answer: Answer, request: web.Request) -> web.Response:
        return await self._aside.do(lambda: many(answer, request), heavy=len(answer.results) > RESULTS_HERE_MAX)

    async def _read(self, request: web.Request, reading: Callable[[bytes], T], *, any_media: bool = False) -> T:
        """What a body says. A large or packed one is read aside. It is JSON unless `reading` looks at its type itself."""
        body, coding = await self._body(request), request.headers.get("Content-Encoding", "")
        if not any_media:
            check_json(_said(request))
        return await self._aside.do(lambda: reading(unpacked(body, coding)), heavy=bool(coding) or len(body) > BYTES_HERE_MAX)

    async def _admit(self, call: IngestCall, began_s: float) -> Answer:
        try:
            self._rates.take(call.caller.actor_id, len(call.items), time.monotonic())
            self._pipeline.submit(call)
            return await self._replies.of(call.answer)
        finally:
            GATE_CALL_SECONDS.observe(time.perf_counter() - began_s)

    def _check_key(self, request: web.Request) -> None:
        """Let somebody who may call pass, and keep who it is. Raises Quarantine(UNAUTHORISED)."""
        request[CALLER] = self._callers.caller(given_of(request))
        self._connections.known(request.protocol)

    async def _body(self, request: web.Request) -> bytes:
        """The body of somebody who may post, as it came, while the gate can take it."""
        self._check_key(request)
        if self._health.is_red:
            raise self._health.first_fault()
        try:
            if request.content.is_eof():  # it came with its headers, as most do
                return await request.read()
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

    async def _warn(self, request: web.Request, answer: web.StreamResponse) -> None:
        """Tell who posts that the gate admits and something is wrong."""
        if request.method == "POST" and self._health.state is GateState.AMBER:
            answer.headers[HEALTH_HEADER] = GateState.AMBER.value

    def _rests(self, request: web.Request) -> None:
        self._connections.rests(request.protocol)


def _check(request: web.Request) -> None:
    check_http(request)
    refuse_retired(request)


def _refused(error: AssayError, request: web.Request, headers: Mapping[str, str]) -> web.Response:
    GATE_REFUSED_CALLS.add({error.reason.value: 1})
    if error.reason is Reason.UNAUTHORISED:
        _callers_log.warning("a caller from %s was refused: %s", request.remote, error.what)
    return refused(error, request, headers)


def _said(request: web.Request) -> str:
    """What a call says of its body."""
    return request.headers.get("Content-Type", "")


def _exceptions_only(request: web.Request) -> bool:
    return request.query.get("results") == "exceptions"


def wall_clock_us() -> int:
    """The clock of a real gate, microseconds."""
    return time.time_ns() // 1_000
