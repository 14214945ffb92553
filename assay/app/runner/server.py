"""The Scenario Runner over HTTP: the calls of its service, with a body of JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ssl import SSLContext
from typing import Any, Final

from aiohttp import web

from assay.app.metrics import CONTENT_TYPE, RUNNER, exposition
from assay.app.runner.answers import RunAnswer
from assay.app.runner.certified import over_http
from assay.app.runner.json_object import object_of
from assay.app.runner.service import CALL_BYTES_MAX, Caller, RunnerService, http_status, is_over
from assay.contracts.api_key import key_of
from assay.contracts.errors import AssayError, refusal_fields

ACTOR_HEADER: Final = "X-SR-Actor"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RunnerServer:
    """Routes of one service. Work is done in threads; `watch` looks again at what waits."""

    def __init__(self, service: RunnerService) -> None:
        self._service = service
        self.app = web.Application(client_max_size=CALL_BYTES_MAX, middlewares=[_refusals])
        self.app.router.add_get("/metrics", self._metrics)
        self.app.router.add_post("/v1/runs", self._submit)
        self.app.router.add_get("/v1/runs/{run_id}", self._show)
        self.app.router.add_post("/v1/runs/{run_id}/reemit", self._reemit)
        self.app.router.add_post("/v1/runs/{run_id}/supersede", self._supersede)
        self.app.router.add_post("/v1/runs/{run_id}/policy", self._activate)
        self.app.router.add_get("/v1/quarantine", self._quarantined)
        self.app.router.add_get("/v1/quarantine/{run_id}", self._quarantine_of)

    async def _submit(self, call: web.Request) -> web.Response:
        return _run(await asyncio.to_thread(self._service.submit, _caller(call), await _document(call)))

    async def _supersede(self, call: web.Request) -> web.Response:
        return _run(await asyncio.to_thread(self._service.supersede, _caller(call), _run_id(call), await _document(call)))

    async def _show(self, call: web.Request) -> web.Response:
        return web.json_response((await asyncio.to_thread(self._service.show, _caller(call), _run_id(call))).as_json())

    async def _reemit(self, call: web.Request) -> web.Response:
        answer = await asyncio.to_thread(self._service.reemit, _caller(call), _run_id(call), await _document(call))
        return web.json_response(answer.as_json())

    async def _activate(self, call: web.Request) -> web.Response:
        answer = await asyncio.to_thread(self._service.activate, _caller(call), _run_id(call), await _document(call))
        return web.json_response(answer.as_json())

    async def _quarantined(self, call: web.Request) -> web.Response:
        return web.json_response({"notices": await asyncio.to_thread(self._service.quarantined, _caller(call))})

    async def _quarantine_of(self, call: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(self._service.quarantine_of, _caller(call), _run_id(call)))

    async def _metrics(self, call: web.Request) -> web.Response:
        """Prometheus, with a key of the run."""
        self._service.refuse_stranger(_caller(call), call.path)
        return web.Response(body=exposition(RUNNER), headers={"Content-Type": CONTENT_TYPE})

    async def watch(self, stopped: asyncio.Event) -> None:
        """Look again at runs that are not over, until `stopped`."""
        while not stopped.is_set():
            await asyncio.to_thread(self._service.look_again)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), self._service.runner.poll_s)


def _run(answer: RunAnswer) -> web.Response:
    """202 while evidence is missing or another process works on the run, else 200."""
    return web.json_response(answer.as_json(), status=200 if is_over(answer) else 202)


@web.middleware
async def _refusals(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except AssayError as refusal:
        fields = refusal_fields(refusal.reason.value, refusal.what, refusal.where, refusal.remedy)
        return web.json_response(fields, status=http_status(refusal))


async def _document(call: web.Request) -> dict[str, Any]:
    return object_of(await call.read(), "body")


def _caller(call: web.Request) -> Caller:
    certificate = None if call.transport is None else call.transport.get_extra_info("peercert")
    return over_http(certificate, key_of(call.headers), call.headers.get(ACTOR_HEADER, "").strip())


def _run_id(call: web.Request) -> str:
    return call.match_info["run_id"]


async def serve(
    server: RunnerServer, address: tuple[str, int], stopped: asyncio.Event, up: Callable[[], None], tls: SSLContext | None = None
) -> None:
    """Listen, over TLS where it is given, and look again at what waits, until `stopped`. Raises OSError for a port that is taken.

    `up` is called once clients can connect.
    """
    listening = web.AppRunner(server.app, access_log=None)
    await listening.setup()
    try:
        await web.TCPSite(listening, *address, ssl_context=tls).start()
        up()
        await server.watch(stopped)
    finally:
        await listening.cleanup()
